import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

// each test file is a process of its own, and many start more: what Node has compiled serves them all
process.env['NODE_COMPILE_CACHE'] ??= join(import.meta.dirname, 'node_modules/.cache/compiled')

/** Long suites (crash matrix, benches) have scripts of their own; here is what must pass before every commit. */
export default defineConfig({
  test: {
    // Tests import as the program does: Node strips the types itself. Vite's own loader took 3 s more for each file that starts an engine.
    experimental: { viteModuleRunner: false },
    include: ['src/**/*.test.ts', 'test/**/*.test.ts', 'examples/**/*.test.ts', 'bench/**/*.test.ts'],
    exclude: ['**/node_modules/**', 'dist/**'],
    globalSetup: ['test/servers/global-setup.ts'],
    pool: 'forks',
    execArgv: ['--conditions=millrace-source'],
    maxWorkers: 2,
    // Generous, for a laptop that compiles something else at the same time: a hung test still ends.
    testTimeout: 240_000,
    hookTimeout: 60_000,
    teardownTimeout: 10_000,
  },
})
