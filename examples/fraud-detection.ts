/**
 * Fraud detection: payments are scored over sliding windows of ten minutes, every two minutes. A card that was used too often, in too many countries, or for
 * too much gives an alert as soon as its window is complete. The process is ended and started again half-way: every alert comes once.
 * `npm run example -- examples/fraud-detection.ts`
 */
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { approx_count_distinct, count, millrace, sum, t, when, window } from 'millrace'

const work = await mkdtemp(join(tmpdir(), 'millrace-fraud-'))
await mkdir(join(work, 'payments'))

// An hour of honest payments, and three cards that are not.
const start = Date.UTC(2026, 0, 1, 8)
const countries = ['de', 'fr', 'it', 'es', 'pl', 'nl']
interface Payment {
  readonly card: string
  readonly second: number
  readonly cents: number
  readonly country: string
}
const payments: Payment[] = []
for (let second = 0; second < 3600; second += 5) payments.push({ card: `card-${(second / 5) % 200}`, second, cents: 1500, country: 'de' })
for (let i = 0; i < 20; i++) payments.push({ card: 'often', second: 600 + i * 10, cents: 100, country: 'de' })
for (let i = 0; i < 6; i++) payments.push({ card: 'far', second: 1200 + i * 20, cents: 100, country: countries[i]! })
payments.push({ card: 'much', second: 2400, cents: 900_000, country: 'de' })
payments.sort((a, b) => a.second - b.second)
const write = async (name: string, some: readonly Payment[]) =>
  writeFile(
    join(work, 'payments', name),
    `${some.map(({ second, ...rest }) => JSON.stringify({ ...rest, at: new Date(start + second * 1000).toISOString() })).join('\n')}\n`,
  )

/** One run of the program, until all payments that are there were read. */
async function detect(): Promise<void> {
  await using engine = await millrace.local()
  const query = await engine.readStream
    .schema({ card: t.string(), at: t.timestamp(), cents: t.long(), country: t.string() })
    .json(join(work, 'payments'))
    .withWatermark('at', '1 minute')
    .groupBy(({ at, card }) => ({ window: window(at, '10 minutes', '2 minutes'), card }))
    .agg(({ cents, country }) => ({ payments: count(), spent: sum(cents), countries: approx_count_distinct(country) }))
    .select(({ window, card, payments, spent, countries }) => ({
      until: window.end,
      card,
      reason: when(payments.geq(15), 'often').when(countries.geq(4), 'far').when(spent.geq(500_000), 'much'),
    }))
    .where(({ reason }) => reason.isNotNull())
    .writeStream.queryName('alerts')
    .trigger({ availableNow: true })
    .option('checkpointLocation', join(work, 'checkpoint'))
    .format('json')
    .start(join(work, 'alerts'))
  await query.awaitTermination()
}

await write('1.json', payments.slice(0, payments.length / 2))
await detect()
await write('2.json', payments.slice(payments.length / 2))
// far in the future, so that the watermark passes every window
await write('3.json', [{ card: 'last', second: 100_000, cents: 1, country: 'de' }])
await detect()

await using engine = await millrace.local()
const alerts = await engine.read.schema({ until: t.timestamp(), card: t.string(), reason: t.string() }).json(join(work, 'alerts')).collect()
const found = alerts.map(({ card, reason, until }) => `${card} ${reason} ${until}`)
assert.equal(new Set(found).size, found.length, 'an alert came twice')
assert.deepEqual(new Set(alerts.map(({ card, reason }) => `${card}: ${reason}`)), new Set(['often: often', 'far: far', 'much: much']))
// sliding windows of ten minutes every two: a single payment is in five of them
assert.equal(alerts.filter(({ card }) => card === 'much').length, 5)
assert.ok((await readFile(join(work, 'checkpoint/metadata'), 'utf8')).includes('id'))
console.log(`${alerts.length} alerts over ${new Set(alerts.map(({ card }) => card)).size} cards, each once, over two runs`)
await rm(work, { recursive: true, force: true })
