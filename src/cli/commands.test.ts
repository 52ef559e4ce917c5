// The real binary, in real processes.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { helpTexts } from './help.ts'

const root = resolve(import.meta.dirname, '../..')
const bin = join(root, 'src/cli/bin.ts')
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-commands-'))
  mkdirSync(join(folder, 'in'))
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(root, join(folder, 'node_modules/millrace'))
  writeFileSync(join(folder, 'in/1.json'), '{"n":1}\n{"n":2}\n')
})
const running: ChildProcess[] = []
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

function millrace(...args: string[]) {
  const child = spawn(process.execPath, ['--conditions=millrace-source', bin, ...args], {
    cwd: folder,
    env: { ...process.env, NO_COLOR: '', FORCE_COLOR: '' },
  })
  running.push(child)
  let [out, err, both] = ['', '', '']
  let look = () => {}
  child.stdout.on('data', (data) => {
    out += data
    both += data
    look()
  })
  child.stderr.on('data', (data) => {
    err += data
    both += data
    look()
  })
  const ended = new Promise<{ code: number | null; out: string; err: string }>((done) =>
    child.once('close', (code) => done({ code, out, err })),
  )
  /** Resolves with the match as soon as one of the streams has it. */
  const says = (pattern: RegExp, after = 0) =>
    new Promise<RegExpExecArray>((done, fail) => {
      look = () => {
        const match = pattern.exec(both.slice(after))
        if (match) done(match)
      }
      look()
      void ended.then(() => fail(new Error(`it ended and never said ${pattern}:\n${out}\n${err}`)))
    })
  return { child, ended, says, length: () => both.length }
}
const module = (text: string, name = 'app.ts') => writeFileSync(join(folder, name), text)
const query = (options = '', select = '') => `
  import { t } from 'millrace'
  export default (engine) => engine.readStream.schema({ n: t.long() }).json('in')${select}
    .writeStream.queryName('numbers').option('checkpointLocation', 'checkpoint')${options}.format('noop').start()`
const once = '.trigger({ availableNow: true })'
/** Fails in the first `times` processes in one way or another. */
const failing = (times: number, how: string) => `
  import { appendFileSync, readFileSync } from 'node:fs'
  import { UnavailableError } from 'millrace'
  appendFileSync('starts', 'x')
  if (readFileSync('starts', 'utf8').length <= ${times}) { ${how} }`
const unavailable = "throw new UnavailableError('BROKER_DOWN', { what: 'no broker', todo: 'wait' })"
const quick = ['--restart', '--restart-delay', '1ms']

describe('run --restart', () => {
  test('what may pass is tried again until it has passed', async () => {
    module(`${failing(2, unavailable)}\n${query(once)}`)
    const { code, err } = await millrace('run', 'app.ts', ...quick).ended
    expect(code).toBe(0)
    expect(err.match(/the run ended with exit code 6; starting again in/g)).toHaveLength(2)
    expect(err).toContain('numbers ended')
    expect(readFileSync(join(folder, 'starts'), 'utf8')).toBe('xxx')
  })
  test('a process that was killed is started again, and goes on from its checkpoint', async () => {
    module(`${failing(1, "process.kill(process.pid, 'SIGKILL')")}\n${query(once)}`)
    const { code, err } = await millrace('run', 'app.ts', ...quick).ended
    expect([code, err.includes('the run ended with SIGKILL')]).toEqual([0, true])
  })
  test('a crash loop is recognised and reported', async () => {
    module(failing(100, unavailable))
    const { code, err } = await millrace('run', 'app.ts', ...quick, '--max-restarts', '2').ended
    expect(code).toBe(9)
    expect(err).toMatch(/crash loop: 3 runs in a row/)
    expect(readFileSync(join(folder, 'starts'), 'utf8')).toBe('xxx')
  })
  test.each([
    ['an error of the module', "throw new Error('mine')", 1],
    ['a query that can not run', "await (await import('millrace')).millrace.local({ conf: { nothing: 1 } })", 5],
    ['no query', '', 2],
  ])('%s is the end', async (_name, how, code) => {
    module(failing(100, how))
    const run = await millrace('run', 'app.ts', ...quick).ended
    expect([run.code, run.err.includes('starting again')]).toEqual([code, false])
  })
  test('a function of the user that throws is the end, with its own code', async () => {
    module(`
      import { t } from 'millrace'
      export default (engine) => engine.readStream.schema({ n: t.long() }).json('in').writeStream
        .foreachBatch(() => { throw new Error('mine') }).option('checkpointLocation', 'checkpoint').start()`)
    expect((await millrace('run', 'app.ts', ...quick).ended).code).toBe(7)
  })
  test('a signal is handed on once, drains, and ends the restarts', async () => {
    module(query())
    const run = millrace('run', 'app.ts', ...quick)
    await run.says(/numbers.*batch 0/)
    run.child.kill('SIGTERM')
    const { code, err } = await run.ended
    expect([code, err.includes('again: stopping at once'), err.includes('starting again')]).toEqual([0, false, false])
  })
})

describe('run', () => {
  test('the default export may be a query that is starting', async () => {
    module(
      query(once).replace(
        'export default (engine) =>',
        "import { millrace } from 'millrace'\n  const engine = await millrace.local()\n  export default",
      ),
    )
    const { code, err } = await millrace('run', 'app.ts').ended
    expect([code, err.includes('numbers ended')]).toEqual([0, true])
  })
  test('a folder whose package.json says CommonJS is told apart', async () => {
    module(query(once))
    writeFileSync(join(folder, 'package.json'), '{ "type": "commonjs" }')
    const { code, err } = await millrace('run', 'app.ts').ended
    expect(code).toBe(2)
    expect(err).toMatch(/MODULE_IS_COMMONJS: .*app\.ts[^]*npm pkg set type=module/)
  })
})

describe('health', () => {
  const get = async (port: string, path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`)
    return {
      status: response.status,
      body: response.status === 404 ? null : ((await response.json()) as { status: string; queries: { name: string; batchId: number }[] }),
    }
  }
  test.each([
    ['alone', []],
    ['with --restart', quick],
  ])('%s', async (_name, flags) => {
    module(query())
    const run = millrace('run', 'app.ts', '--health-port', '0', ...flags)
    const [, port] = await run.says(/health on port (\d+)/)
    await run.says(/numbers.*batch 0/)
    const [health, ready, other] = [await get(port!, '/healthz'), await get(port!, '/readyz'), await get(port!, '/')]
    expect([health.status, ready.status, other.status]).toEqual([200, 200, 404])
    expect(ready.body!.queries.map(({ name }) => name)).toEqual(['numbers'])
    run.child.kill('SIGTERM')
    expect((await run.ended).code).toBe(0)
  })
  test('a port that is taken is an error that names it', async () => {
    module(query())
    const first = millrace('run', 'app.ts', '--health-port', '0')
    const [, port] = await first.says(/health on port (\d+)/)
    const second = await millrace('run', 'app.ts', '--health-port', port!).ended
    expect([second.code, second.err.includes(`HEALTH_PORT_NOT_AVAILABLE: the health port ${port} `)]).toEqual([5, true])
  })
})

describe('explain', () => {
  test('shows the plans, runs nothing and writes nothing', async () => {
    module(`${query()}\nconsole.error('module was loaded')`)
    const { code, out } = await millrace('explain', 'app.ts').ended
    expect(code).toBe(0)
    expect(out).toMatch(/== numbers into noop ==[\s\S]*StreamingRelation json[\s\S]*Output mode: append/)
    expect(existsSync(join(folder, 'checkpoint'))).toBe(false)
  })
  test('--json gives a line a query', async () => {
    module(query())
    const { out } = await millrace('explain', 'app.ts', '--json').ended
    expect(JSON.parse(out)).toMatchObject({ event: 'plan', name: 'numbers', format: 'noop', outputMode: 'append' })
  })
  test('a query that can not run is refused as by a start', async () => {
    module(query(".outputMode('complete')"))
    const { code, err } = await millrace('explain', 'app.ts').ended
    expect([code, err.includes('What to do:')]).toEqual([5, true])
  })
  test('a module without queries', async () => {
    module('export {}')
    expect((await millrace('explain', 'app.ts').ended).code).toBe(2)
  })
})

describe('progress', () => {
  test('shows what the batches of all runs did', async () => {
    module(query(once))
    expect((await millrace('run', 'app.ts').ended).code).toBe(0)
    writeFileSync(join(folder, 'in/2.json'), '{"n":3}\n')
    expect((await millrace('run', 'app.ts').ended).code).toBe(0)
    const lines = (await millrace('progress', 'checkpoint').ended).out.trim().split('\n')
    expect(lines.map((line) => /batch \d+ {2}\d+ rows/.exec(line)?.[0])).toEqual(['batch 0  2 rows', 'batch 1  1 rows'])
    const last = (await millrace('progress', 'checkpoint', '--last', '1', '--json').ended).out
    expect(JSON.parse(last)).toMatchObject({ batchId: 1, numInputRows: 1 })
  })
  test('a folder that is no checkpoint', async () => {
    expect(await millrace('progress', 'in').ended).toMatchObject({ code: 5, err: expect.stringContaining('PATH_NOT_FOUND') })
    const file = millrace('checkpoint', 'ls', 'in/1.json')
    expect(await file.ended).toMatchObject({ code: 5, err: expect.stringContaining('PATH_NOT_FOUND') })
  })
})

describe('init', () => {
  test('makes a project that type-checks, passes its test, and runs', async () => {
    const made = await millrace('init', 'My stream').ended
    expect(made.code).toBe(0)
    const project = join(folder, 'My stream')
    expect(JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')).name).toBe('my-stream')
    mkdirSync(join(project, 'node_modules'))
    symlinkSync(root, join(project, 'node_modules/millrace'))
    symlinkSync(join(root, 'node_modules/@types'), join(project, 'node_modules/@types'))
    const node = (...args: string[]) =>
      spawnSync(process.execPath, args, { cwd: project, encoding: 'utf8', env: { ...process.env, NODE_TEST_CONTEXT: '' } })
    const types = node(join(root, 'node_modules/typescript/bin/tsc'), '--customConditions', 'millrace-source')
    expect(types.stdout).toBe('')
    const tested = node('--conditions=millrace-source', '--test')
    expect(tested.status, tested.stdout).toBe(0)
    const run = millrace('run', join('My stream', 'app.ts'))
    await run.says(/PATH_NOT_FOUND|batch 0/)
  })
  test('leaves a file, and a folder that holds anything, alone', async () => {
    expect(await millrace('init', 'in/1.json').ended).toMatchObject({ code: 2, err: expect.stringContaining('NOT_A_FOLDER') })
    const before = readdirSync(folder)
    expect(await millrace('init').ended).toMatchObject({ code: 2, err: expect.stringContaining('is not empty') })
    expect(readdirSync(folder)).toEqual(before)
  })
})

describe('dev', () => {
  test('a change is loaded anew; the checkpoint is kept where it may be, and moved aside where not', async () => {
    module(query())
    const dev = millrace('dev', 'app.ts')
    await dev.says(/numbers.*running/)
    let seen = dev.length()
    module(query('', '.where("n > 1")'))
    await dev.says(/loading it anew[\s\S]*numbers started/, seen)
    expect(readdirSync(folder).filter((name) => name.startsWith('checkpoint'))).toEqual(['checkpoint'])
    seen = dev.length()
    module(query(".outputMode('complete')", '.groupBy("n").count()'))
    await dev.says(/the checkpoint was moved to[\s\S]*numbers.*running/, seen)
    expect(readdirSync(folder).filter((name) => name.startsWith('checkpoint.before-'))).toHaveLength(1)
    seen = dev.length()
    module('this is no module')
    await dev.says(/exit code 1; waiting for a change/, seen)
    seen = dev.length()
    module(query(".outputMode('complete')", '.groupBy("n").count()'))
    await dev.says(/numbers started/, seen)
    dev.child.kill('SIGINT')
    expect((await dev.ended).code).toBe(0)
  })
})

describe('usage', () => {
  test.each(Object.entries(helpTexts))('help of "%s"', async (command, text) => {
    const { code, out } = await millrace(...(command ? [command] : []), '--help').ended
    expect([code, out]).toEqual([0, text])
  })
  test.each([
    [['rnu', 'app.ts'], 'did you mean run?'],
    [['run'], 'run needs the path of a module'],
    [['run', 'a.ts', 'b.ts'], 'one module at a time'],
    [['explain', 'a.ts', '--takeover'], 'explain has no option --takeover'],
    [['run', 'a.ts', '--health-port', 'x'], '--health-port takes a whole number'],
    [['run', 'a.ts', '--max-restarts', '3'], 'says nothing without --restart'],
    [['run', 'a.ts', '--restart', '--restart-delay', 'soon'], 'takes a duration'],
    [['run', 'a.ts', '--nothing'], '--nothing'],
    [['dev', 'nothing.ts'], 'FILE_NOT_FOUND'],
    [[], 'a command is missing'],
  ])('%j', async (args, text) => {
    expect(await millrace(...args).ended).toMatchObject({ code: 2, err: expect.stringContaining(text) })
  })
})
