/**
 * Features for recommendations: views and purchases of a shop become, for each user and product category, what a ranking model asks for: how often, how
 * much, when last, the rate of purchases. The same DataFrame code makes them over the stream (kept up to date) and over the whole history as a batch (to
 * train the model): both must give the same numbers, or the model is served what it was not trained on. `npm run example -- examples/recommendation-features.ts`
 */
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { count, type Engine, max, millrace, sum, t, when } from 'millrace'

const work = await mkdtemp(join(tmpdir(), 'millrace-features-'))
await mkdir(join(work, 'events'))
await mkdir(join(work, 'products'))
const event = { user: t.string(), product: t.int(), kind: t.string(), cents: t.long(), at: t.timestamp() }
const product = { product: t.int(), category: t.string() }
const categories = ['books', 'shoes', 'tools']

await writeFile(
  join(work, 'products/all.json'),
  `${Array.from({ length: 30 }, (_, i) => JSON.stringify({ product: i, category: categories[i % 3] })).join('\n')}\n`,
)
for (let file = 0; file < 20; file++) {
  const lines = Array.from({ length: 200 }, (_, i) => {
    const n = file * 200 + i
    const bought = n % 11 === 0
    return JSON.stringify({
      user: `user-${(n * 31) % 40}`,
      product: (n * 7) % 30,
      kind: bought ? 'purchase' : 'view',
      cents: bought ? 500 + (n % 9) * 100 : 0,
      at: new Date(Date.UTC(2026, 0, 1) + n * 60_000).toISOString(),
    })
  })
  await writeFile(join(work, 'events', `${String(file).padStart(2, '0')}.json`), `${lines.join('\n')}\n`)
}

const stream = (engine: Engine) => engine.readStream.schema(event).option('maxFilesPerTrigger', 3).json(join(work, 'events'))
const history = (engine: Engine) => engine.read.schema(event).json(join(work, 'events'))
const products = (engine: Engine) => engine.read.schema(product).json(join(work, 'products'))

await using engine = await millrace.local()

// Online: the newest features of whoever did something, batch by batch.
const table = new Map<string, string>()
const query = await stream(engine)
  .join(products(engine), 'product')
  .groupBy('user', 'category')
  .agg(({ kind, cents, at }) => ({
    events: count(),
    purchases: sum(when(kind.eq('purchase'), 1).otherwise(0)),
    spent: sum(cents),
    last: max(at),
  }))
  .writeStream.queryName('features')
  .outputMode('update')
  .trigger({ availableNow: true })
  .option('checkpointLocation', join(work, 'checkpoint'))
  .foreachBatch(async (rows) => {
    for (const { user, category, events, purchases, spent, last } of await rows.collect())
      table.set(`${user} ${category}`, `${events} ${purchases} ${spent} ${last}`)
  })
  .start()
await query.awaitTermination()

// Offline: the same, over everything at once.
const trained = await history(engine)
  .join(products(engine), 'product')
  .groupBy('user', 'category')
  .agg(({ kind, cents, at }) => ({
    events: count(),
    purchases: sum(when(kind.eq('purchase'), 1).otherwise(0)),
    spent: sum(cents),
    last: max(at),
  }))
  .collect()

assert.equal(query.recentProgress.filter(({ numInputRows }) => numInputRows > 0).length, 7)
assert.equal(table.size, trained.length)
for (const { user, category, events, purchases, spent, last } of trained)
  assert.equal(table.get(`${user} ${category}`), `${events} ${purchases} ${spent} ${last}`)
const bought = trained.reduce((total, { purchases }) => total + purchases!, 0n)
assert.equal(bought, 364n)
console.log(`${table.size} rows of features, the same from the stream and from the history; ${bought} purchases`)
await rm(work, { recursive: true, force: true })
