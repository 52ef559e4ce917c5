// A process that ends while DuckDB waits for a function, a kernel or rows of the program.
import { execFile } from 'node:child_process'
import { expect, test } from 'vitest'

const program = (setUp: string) => `
  import { millrace, t, udf } from 'millrace'
  const engine = await millrace.local({ threads: 2 })
  const rows = Array.from({ length: 20_000 }, (_, i) => ({ id: BigInt(i) }))
  const frame = engine.createDataFrame(rows, { id: t.long() })
  const at = (work) => udf((x) => { if (x === 3000n) work(); return x }, t.long())
  ${setUp}
  await frame.select(({ id }) => ({ x: f(id) })).where("format_string('%s', x) <> 'a'").collect()
  console.log('went on')`

/** Runs a program, which must not take a minute. */
function run(setUp: string) {
  const args = ['--conditions=millrace-source', '--input-type=module', '--eval', program(setUp)]
  return new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
    execFile(process.execPath, args, { timeout: 60_000, killSignal: 'SIGKILL' }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : (error.code ?? error.signal), stdout, stderr }),
    )
  })
}

test('it ends at once, with its code, its listeners and its message', async () => {
  const [exits, throws, goesOn] = await Promise.all([
    run("process.on('exit', (code) => console.log('said', code)); const f = at(() => process.exit(3))"),
    run("const f = at(() => setImmediate(() => { throw new RangeError('of nobody') }))"),
    run("process.on('uncaughtException', () => {}); const f = at(() => setImmediate(() => { throw new RangeError('caught') }))"),
  ])
  expect(exits).toEqual({ code: 3, stdout: 'said 3\n', stderr: '' })
  expect(throws).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('RangeError: of nobody') })
  expect(goesOn).toEqual({ code: 0, stdout: 'went on\n', stderr: '' })
}, 120_000)
