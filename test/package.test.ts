import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { version } from '../src/version.ts'
import { docBlocks } from './doc-blocks.ts'

const root = resolve(import.meta.dirname, '..')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const firstProgram = docBlocks(root).find((block) => block.document === 'README.md' && block.runs)!.code

describe('the packed package', () => {
  /** An empty folder in which the tarball was installed. */
  let folder: string
  let offline = false
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-package-'))
    const [packed] = JSON.parse(npm(['pack', '--json', '--pack-destination', folder], root))
    const tarball = join(folder, packed.filename)
    try {
      npm(['install', '--prefer-offline', '--no-audit', '--no-fund', tarball], folder)
    } catch (error) {
      // Without a registry and with a cold cache there is nothing to install from.
      offline = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENOTCACHED/.test(String((error as { stderr?: string }).stderr))
      if (!offline) throw error
    }
  }, 180_000)
  beforeEach(({ skip }) => skip(offline, 'no package registry can be reached to install the dependencies from'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test('holds no tests and no sources, and every module that the code names', () => {
    const dist = join(folder, 'node_modules/millrace/dist')
    const files = readdirSync(dist, { recursive: true, encoding: 'utf8' })
    expect(files.filter((file) => file.includes('.test.') || (file.endsWith('.ts') && !file.endsWith('.d.ts')))).toEqual([])
    const missing = files
      // init.js holds the text of a project, whose modules name each other
      .filter((file) => file.endsWith('.js') && file !== 'cli/init.js')
      .flatMap((file) => {
        const named = readFileSync(join(dist, file), 'utf8').matchAll(/(?:from |import\(|new URL\()\s*['"](\.[^'"]+)['"]/g)
        return [...named]
          .map((match) => match[1]!)
          .filter((name) => !existsSync(join(dist, dirname(file), name)))
          .map((name) => `${file}: ${name}`)
      })
    expect(missing).toEqual([])
  })

  test.each(['first.mts', 'first.mjs'])('runs the first program of the README as %s, and a second run counts nothing twice', (name) => {
    for (const made of ['in', 'out', 'checkpoint']) rmSync(join(folder, made), { recursive: true, force: true })
    writeFileSync(join(folder, name), firstProgram)
    const first = node([name], folder)
    expect(first.stderr).toBe('')
    expect(first.stdout).toContain('21.0')
    expect(first.status).toBe(0)
    const second = node([name], folder)
    expect(second).toEqual(first)
  })

  test('the first program is at most twenty lines of code', () => {
    expect(firstProgram.split('\n').filter((line) => line.trim() !== '').length).toBeLessThanOrEqual(20)
  })

  test('a TypeScript program compiles against the declarations, which are checked too', () => {
    writeFileSync(join(folder, 'first.mts'), firstProgram)
    const compilerOptions = {
      strict: true,
      exactOptionalPropertyTypes: true,
      module: 'nodenext',
      target: 'es2024',
      types: ['node'],
      typeRoots: [join(root, 'node_modules/@types')],
      noEmit: true,
      skipLibCheck: false,
    }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['first.mts'] }))
    const tsc = node([join(root, 'node_modules/typescript/bin/tsc'), '-p', folder, '--pretty', 'false'], folder)
    expect(tsc.stdout).toBe('')
  })

  test('installs the command', () => {
    const command = join(folder, 'node_modules/.bin/millrace')
    expect(run(command, ['--version'], folder).stdout).toBe(`${version}\n`)
    const wrong = run(command, ['run'], folder)
    expect(wrong.status).toBe(2)
    expect(wrong.stderr).toContain('run needs the path of a module')
  })

  test('the command runs a TypeScript module', () => {
    writeFileSync(
      join(folder, 'app.mts'),
      `import type { Engine } from 'millrace'
       export default (engine: Engine) => engine.readStream.format('rate-micro-batch').option('rowsPerBatch', 3).load()
         .writeStream.trigger({ once: true }).option('checkpointLocation', 'checkpoint-of-app').format('console').start()`,
    )
    const ran = run(join(folder, 'node_modules/.bin/millrace'), ['run', 'app.mts'], folder)
    expect(ran.stderr).toContain('ended')
    expect(ran.stdout).toContain('|1970-01-01 00:00:00|    2|')
    expect(ran.status).toBe(0)
  })

  const old = oldNode()
  test.skipIf(!old)('an old Node gets one plain line, from the command and from an import (skipped where no old Node is installed)', () => {
    const line = /^millrace needs Node 24 or newer, and this is v\d+\.\d+\.\d+: [^\n]+\n$/
    for (const args of [
      [join(folder, 'node_modules/millrace/dist/cli/bin.js'), 'run', 'x.mjs'],
      ['--input-type=module', '-e', 'import "millrace"'],
    ]) {
      const ran = run(old!, args, folder)
      expect(ran.stderr).toMatch(line)
      expect(ran).toMatchObject({ stdout: '', status: 1 })
    }
  })
})

test('the version is the one of package.json, and the changelog has a heading for it', () => {
  expect(version).toBe(manifest.version)
  expect(readFileSync(join(root, 'CHANGELOG.md'), 'utf8')).toContain(`\n## ${version} — `)
})

function npm(args: readonly string[], cwd: string): string {
  // npm test hands its own configuration down in the environment; a plain npm is wanted.
  const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !key.startsWith('npm_') && key !== 'NODE_OPTIONS'))
  return execFileSync('npm', [...args], { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}
function node(args: readonly string[], cwd: string) {
  return run(process.execPath, args, cwd)
}
function run(command: string, args: readonly string[], cwd: string) {
  const { NODE_OPTIONS: _, ...inherited } = process.env
  // The installed command finds its Node on the PATH: the one that runs this test.
  const env = { ...inherited, PATH: `${dirname(process.execPath)}${delimiter}${inherited['PATH']}` }
  const { stdout, stderr, status } = spawnSync(command, [...args], { cwd, env, encoding: 'utf8', timeout: 60_000 })
  return { stdout, stderr, status }
}
/** A Node below 24 on the PATH, if there is one. */
function oldNode(): string | undefined {
  const candidates = (process.env['PATH'] ?? '').split(delimiter).map((each) => join(each, 'node'))
  return candidates.find((path) => existsSync(path) && Number(/^v(\d+)/.exec(run(path, ['--version'], root).stdout)?.[1] ?? 24) < 24)
}
