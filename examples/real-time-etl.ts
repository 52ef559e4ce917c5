/**
 * Real-time ETL: raw orders arrive as files of JSON, some of them impossible. Good rows are cleaned, joined with the customers and written as Parquet,
 * partitioned by day, exactly once; the others go to a folder of their own, with the reason. `npm run example -- examples/real-time-etl.ts`
 */
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { millrace, t, to_date, upper, when } from 'millrace'

const work = await mkdtemp(join(tmpdir(), 'millrace-etl-'))
const [inbox, customersFile] = [join(work, 'orders'), join(work, 'customers')]

// Data of our own: 40 files of 50 orders, every 25th of them with a negative amount or without a customer.
await mkdir(inbox)
await mkdir(customersFile)
let good = 0
let goodCents = 0n
for (let file = 0; file < 40; file++) {
  const lines: string[] = []
  for (let i = 0; i < 50; i++) {
    const n = file * 50 + i
    const cents = (n * 37) % 1000
    const isGood = n % 25 !== 24
    const at = `2026-01-0${1 + (n % 3)}T12:00:00Z`
    if (isGood) lines.push(JSON.stringify({ id: n, customer: `c${n % 7}`, cents, at }))
    else lines.push(JSON.stringify(n % 2 === 0 ? { id: n, customer: `c${n % 7}`, cents: -1, at } : { id: n, cents, at }))
    good += isGood ? 1 : 0
    goodCents += isGood ? BigInt(cents) : 0n
  }
  await writeFile(join(inbox, `${String(file).padStart(2, '0')}.json`), `${lines.join('\n')}\n`)
}
await writeFile(
  join(customersFile, 'all.json'),
  `${Array.from({ length: 7 }, (_, i) => JSON.stringify({ customer: `c${i}`, country: i % 2 === 0 ? 'de' : 'fr' })).join('\n')}\n`,
)

await using engine = await millrace.local()
const customers = engine.read.schema({ customer: t.string(), country: t.string() }).json(customersFile)
const orders = engine.readStream
  .schema({ id: t.long(), customer: t.string().nullable(), cents: t.long(), at: t.timestamp() })
  .option('maxFilesPerTrigger', 10)
  .json(inbox)
  .withColumn('problem', ({ customer, cents }) => when(customer.isNull(), 'no customer').when(cents.lt(0), 'negative amount'))

const clean = orders
  .where(({ problem }) => problem.isNull())
  .select(({ id, customer, cents, at }) => ({ id, customer, cents, day: to_date(at) }))
  .join(customers, 'customer')
  .select(({ id, customer, cents, day, country }) => ({ id, customer, cents, day, country: upper(country) }))
const broken = orders.where(({ problem }) => problem.isNotNull())

const queries = [
  await clean.writeStream
    .queryName('clean')
    .trigger({ availableNow: true })
    .option('checkpointLocation', join(work, 'checkpoints/clean'))
    .partitionBy('day')
    .format('parquet')
    .start(join(work, 'clean')),
  await broken.writeStream
    .queryName('broken')
    .trigger({ availableNow: true })
    .option('checkpointLocation', join(work, 'checkpoints/broken'))
    .format('json')
    .start(join(work, 'broken')),
]
for (const query of queries) await query.awaitTermination()

const written = await (await engine.read.parquet(join(work, 'clean'))).collect()
const refused = await engine.read.schema({ problem: t.string() }).json(join(work, 'broken')).collect()
assert.equal(written.length, good)
assert.equal(
  written.reduce((sum, { cents }) => sum + (cents as bigint), 0n),
  goodCents,
)
assert.equal(new Set(written.map(({ id }) => id)).size, good)
assert.deepEqual([...new Set(written.map(({ country }) => country))].sort(), ['DE', 'FR'])
assert.equal(refused.length, 2000 - good)
assert.deepEqual([...new Set(refused.map(({ problem }) => problem))].sort(), ['negative amount', 'no customer'])
console.log(`${written.length} orders are clean, ${refused.length} are not, none is lost and none is there twice`)
await rm(work, { recursive: true, force: true })
