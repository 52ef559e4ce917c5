import { defineConfig } from 'vitest/config'

const source = ['millrace-source']

/** Long suites (crash matrix, benches) have scripts of their own; here is what must pass before every commit. */
export default defineConfig({
  resolve: { conditions: source },
  ssr: { resolve: { conditions: source, externalConditions: source } },
  test: {
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
