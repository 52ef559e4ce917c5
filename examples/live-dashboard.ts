/**
 * The feed of a live dashboard: events of many machines become counts, averages and peaks a minute and machine. Every batch hands what changed to the
 * dashboard's table (update mode), each batch once although it may come twice. `npm run example -- examples/live-dashboard.ts`
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { avg, count, MemoryStream, max, millrace, t, window } from 'millrace'

const work = await mkdtemp(join(tmpdir(), 'millrace-dashboard-'))
await using engine = await millrace.local()
const events = new MemoryStream(engine, { machine: t.string(), at: t.timestamp(), load: t.double() })

/** What the dashboard shows: the newest state of every cell. A database would keep `lastBatch` in the same transaction as the cells. */
const board = { lastBatch: -1n, updates: 0, cells: new Map<string, { events: bigint; average: number; peak: number }>() }

const query = await events
  .toDF()
  .withWatermark('at', '2 minutes')
  .groupBy(({ at, machine }) => ({ minute: window(at, '1 minute'), machine }))
  .agg(({ load }) => ({ events: count(), average: avg(load), peak: max(load) }))
  .select(({ minute, machine, events, average, peak }) => ({ from: minute.start, machine, events, average, peak }))
  .writeStream.queryName('dashboard')
  .outputMode('update')
  .option('checkpointLocation', join(work, 'checkpoint'))
  .foreachBatch(async (rows, batchId) => {
    if (batchId <= board.lastBatch) return // after a crash the last batch comes again, with the same rows
    for (const { from, machine, events, average, peak } of await rows.collect()) {
      board.cells.set(`${machine} ${from}`, { events, average: average!, peak: peak! })
      board.updates++
    }
    board.lastBatch = batchId
  })
  .start()

// Five minutes of three machines, an event a second each, in batches of a minute; the values are known, so that the board can be checked.
const start = Date.UTC(2026, 0, 1, 12)
for (let minute = 0; minute < 5; minute++) {
  for (const machine of ['a', 'b', 'c'])
    events.addData(
      ...Array.from({ length: 60 }, (_, second) => ({
        machine,
        at: new Date(start + (minute * 60 + second) * 1000),
        load: machine === 'a' ? minute : second,
      })),
    )
  await query.processAllAvailable()
}
// A row that comes late, but within the two minutes, changes the cell of its minute.
events.addData({ machine: 'c', at: new Date(start + 3 * 60_000), load: 1000 })
await query.processAllAvailable()
await query.stop()

assert.equal(board.cells.size, 15)
const cell = (machine: string, minute: number) =>
  board.cells.get(`${machine} ${new Date(start + minute * 60_000).toISOString().replace('.000Z', 'Z')}`)
assert.deepEqual(cell('a', 2), { events: 60n, average: 2, peak: 2 })
assert.deepEqual(cell('b', 4), { events: 60n, average: 29.5, peak: 59 })
assert.deepEqual(cell('c', 3), { events: 61n, average: (1770 + 1000) / 61, peak: 1000 })
console.log(`the board has ${board.cells.size} cells after ${board.updates} updates in ${board.lastBatch + 1n} batches`)
await rm(work, { recursive: true, force: true })
