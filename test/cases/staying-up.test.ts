// A disk that is full or broken, and a clock that jumps back: a clear error or notice, and a checkpoint that goes on.
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, type Engine, millrace, sum, t, UnavailableError } from 'millrace'
import { expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { LocalFiles } from '../../src/base/local-files.ts'
import { faultyFiles } from '../../src/testing/faulty-files.ts'
import { tempFolder } from '../../src/testing/temp-folder.ts'

async function project() {
  const folder = await tempFolder()
  await mkdir(join(folder.path, 'in'))
  let files = 0
  return {
    ...folder,
    [Symbol.asyncDispose]: folder[Symbol.asyncDispose],
    // the query runs: a file that it sees half written has changed when it is read
    add: async (n: number) => {
      const name = `${files++}.json`
      await writeFile(join(folder.path, name), `{"k":"a","n":${n}}\n`)
      await rename(join(folder.path, name), join(folder.path, 'in', name))
    },
    checkpoint: join(folder.path, 'checkpoint'),
  }
}
/** Running totals into a table that counts a batch once. */
function totals() {
  const table = { lastBatch: -1n, totals: new Map<string, bigint | null>() }
  const start = (engine: Engine, folder: string, checkpoint: string, intervalMs = 0) =>
    engine.readStream
      .schema({ k: t.string(), n: t.long() })
      .json(join(folder, 'in'))
      .groupBy('k')
      .agg(({ n }) => ({ total: sum(n) }))
      .writeStream.outputMode('update')
      .trigger({ processingTime: intervalMs })
      .option('checkpointLocation', checkpoint)
      .foreachBatch(async (rows, batchId) => {
        if (batchId <= table.lastBatch) return
        for (const { k, total } of await rows.collect()) table.totals.set(k, total)
        table.lastBatch = batchId
      })
      .start()
  return { table, start }
}

test.each(['ENOSPC', 'EIO'])(
  '%s at any change of the checkpoint: the query ends with an error that names the file, and a restart goes on',
  async (code) => {
    for (let change = 0; ; change++) {
      await using own = await project()
      let left = Number.POSITIVE_INFINITY
      const files = faultyFiles(new LocalFiles(), () => (left-- > 0 ? null : code))
      await using engine = await millrace.local({ threads: 1, files, print: () => {} })
      const { table, start } = totals()
      await own.add(1)
      const query = await start(engine, own.path, own.checkpoint)
      await query.processAllAvailable()
      left = change
      await own.add(2)
      const error = await query.processAllAvailable().then(
        () => null,
        (thrown: unknown) => thrown,
      )
      if (error === null) {
        // the batch needs no more changes than that: offsets, state, commit and what they are made of were all tried
        expect(change).toBeGreaterThan(3)
        return
      }
      expect(error).toBeInstanceOf(UnavailableError)
      expect((error as UnavailableError).code).toBe('FILE_SYSTEM_ERROR')
      expect((error as UnavailableError).message).toContain(code)
      expect((error as UnavailableError).message).toContain(own.path)
      expect(engine.streams.active).toEqual([])

      left = Number.POSITIVE_INFINITY
      await own.add(3)
      const again = await start(engine, own.path, own.checkpoint)
      await again.processAllAvailable()
      await again.stop()
      expect(table.totals, `after change ${change}`).toEqual(new Map([['a', 6n]]))
    }
  },
)

test('a clock that jumps back an hour: the query is told of it and goes on at once, and so does the next start', async () => {
  await using own = await project()
  let offsetMs = 0
  const printed: string[] = []
  const clock: Clock = {
    nowMs: () => systemClock.nowMs() + offsetMs,
    monotonicMs: () => systemClock.monotonicMs(),
    sleepUntil: (timeMs, signal, background) => systemClock.sleepUntil(timeMs - offsetMs, signal, background),
  }
  await using engine = await millrace.local({ threads: 1, clock, print: (text) => printed.push(text) })
  const { table, start } = totals()
  await own.add(1)
  const query = await start(engine, own.path, own.checkpoint, 20)
  await query.processAllAvailable()
  offsetMs = -3_600_000
  await own.add(2)
  await query.processAllAvailable()
  await query.stop()
  expect(query.exception).toBeNull()
  expect(printed.filter((text) => text.includes('the clock went back'))).toHaveLength(1)
  await own.add(3)
  const again = await start(engine, own.path, own.checkpoint, 20)
  await again.processAllAvailable()
  await again.stop()
  expect(table.totals).toEqual(new Map([['a', 6n]]))
})
