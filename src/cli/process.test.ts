import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-run-'))
  mkdirSync(join(folder, 'in'))
  writeFileSync(join(folder, 'in/1.json'), '{"n":1}\n{"n":2}\n')
})
const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

/** A query whose batches take `batchMs`, and say so. */
const slowQuery = (batchMs: number) => `
  import { t } from '${new URL('../index.ts', import.meta.url)}'
  export default (engine) => engine.readStream.schema({ n: t.long() }).json('in')
    .writeStream.queryName('slow').option('checkpointLocation', 'checkpoint')
    .foreachBatch(async (rows, batchId) => {
      console.log('batch ' + batchId + ' of ' + (await rows.count()))
      await new Promise((resolve) => setTimeout(resolve, ${batchMs}))
    })
    .start()`

test('SIGTERM lets the batch that runs finish and commit', async () => {
  const run = start(slowQuery(500))
  await run.says('batch 0 of 2')
  run.child.kill('SIGTERM')
  expect(await run.ended).toBe(0)
  expect(existsSync(join(folder, 'checkpoint/commits/0'))).toBe(true)
})

test('a second signal stops at once, and the next start runs the batch again', async () => {
  const run = start(slowQuery(30_000))
  await run.says('batch 0 of 2')
  const atMs = performance.now()
  run.child.kill('SIGTERM')
  await run.tells('finishing and committing')
  run.child.kill('SIGTERM')
  expect(await run.ended).toBe(143)
  expect(performance.now() - atMs).toBeLessThan(10_000)
  expect(existsSync(join(folder, 'checkpoint/commits/0'))).toBe(false)

  const next = start(slowQuery(0))
  await next.says('batch 0 of 2')
  next.child.kill('SIGINT')
  expect(await next.ended).toBe(0)
  expect(existsSync(join(folder, 'checkpoint/commits/0'))).toBe(true)
})

test('the end of the shell that npm started it in is a SIGTERM', async () => {
  const run = startIn('shell', slowQuery(500))
  await run.says('batch 0 of 2')
  run.child.kill('SIGTERM')
  await run.tells('SIGTERM: finishing and committing')
  // the output is closed when the run has ended, later than the shell
  await run.ended
  expect(existsSync(join(folder, 'checkpoint/commits/0'))).toBe(true)
})

test('a start while another run is alive is refused, and --takeover ends that other run', async () => {
  const first = start(slowQuery(100))
  await first.says('batch 0 of 2')
  const refused = start(slowQuery(0))
  expect(await refused.ended).toBe(3)

  const second = start(slowQuery(0), '--takeover')
  await second.tells('slow started')
  // The older run notices before its next durable step.
  writeFileSync(join(folder, 'in/2.json'), '{"n":3}\n')
  expect(await first.ended).toBe(3)
  await second.says('of 1')
  second.child.kill('SIGTERM')
  expect(await second.ended).toBe(0)
})

function start(code: string, ...options: string[]) {
  return startIn('process', code, ...options)
}
function startIn(place: 'process' | 'shell', code: string, ...options: string[]) {
  writeFileSync(join(folder, 'app.mjs'), code)
  const bin = new URL('bin.ts', import.meta.url).pathname
  const args = [bin, 'run', 'app.mjs', ...options]
  // "exit" keeps the shell from giving its place to the program
  const [command, commandArgs] =
    place === 'process' ? [process.execPath, args] : ['sh', ['-c', '"$0" "$@"; exit $?', process.execPath, ...args]]
  const child: ChildProcess = spawn(command, commandArgs, {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...(place === 'shell' ? { npm_lifecycle_event: 'npx', npm_lifecycle_script: 'millrace' } : {}) },
  })
  children.push(child)
  let closed = false
  const read = (stream: NodeJS.ReadableStream) => {
    let text = ''
    stream.on('data', (chunk) => {
      text += chunk
    })
    return async (part: string) => {
      while (!text.includes(part)) {
        if (closed) throw new Error(`the process ended without "${part}":\n${text}`)
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    }
  }
  const ended = new Promise<number | string | null>((resolve) =>
    child.once('close', (exitCode, signal) => {
      closed = true
      resolve(exitCode ?? signal)
    }),
  )
  return { child, ended, says: read(child.stdout!), tells: read(child.stderr!) }
}
