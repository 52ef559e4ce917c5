// What `millrace plan` says of each kind of change, for every step with state, as text that is read by people: `npm run golden` writes it anew.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expr, plannedQueries, t } from 'millrace'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { planText } from '../../src/cli/plan.ts'
import { useEngine } from './harness.ts'

const engine = useEngine({ threads: 1, print: () => {} })
let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'millrace-plans-'))
  await mkdir(join(root, 'in'))
  const rows = Array.from({ length: 20 }, (_, i) => ({ k: `k${i % 3}`, at: new Date(1e12 + i * 1000), v: i }))
  await writeFile(join(root, 'in/0.json'), `${rows.map((row) => JSON.stringify(row)).join('\n')}\n`)
})
afterAll(() => rm(root, { recursive: true, force: true }))

type Untyped = any
const old = { k: t.string(), at: t.timestamp(), v: t.int() }
const wide = { ...old, v: t.long(), region: t.string().nullable() }
const source = (fields: object): Untyped =>
  engine()
    .readStream.schema(fields as typeof old)
    .json(join(root, 'in'))
const marked = (fields: object, delay = '10 seconds') => source(fields).withWatermark('at', delay)
const grouped = (fields: object, by: readonly unknown[], ...aggregates: string[]) =>
  source(fields)
    .groupBy(...by)
    .agg(...aggregates.map((text) => expr(text)))
const windows = (size: string, delay?: string) =>
  marked(old, delay)
    .groupBy(expr(`window(at, '${size}')`), 'k')
    .agg(expr('count(*)').as('n'))
const sessions = (fields: object, gap: string, by: readonly string[], ...aggregates: string[]) =>
  marked(fields)
    .groupBy(expr(`session_window(at, '${gap}')`), ...by)
    .agg(...aggregates.map((text) => expr(text)))
const joined = (fields: object, columns: readonly string[], how = 'inner', key = 'k = rk', seconds = 5) =>
  marked(fields)
    .select(...columns)
    .join(
      marked(fields).selectExpr('k AS rk', 'at AS rat', 'v AS rv'),
      () => expr(`${key} AND at BETWEEN rat - INTERVAL ${seconds} SECONDS AND rat + INTERVAL ${seconds} SECONDS`),
      how,
    )
const processor = (declare: (handle: Untyped) => unknown, options: object = {}) =>
  source(old)
    .groupBy('k')
    .transformWithState(() => ({ init: (handle: Untyped) => void declare(handle), handleInputRows: () => [] }), {
      output: { k: t.string() },
      ...options,
    })
const flatMap = (state: object, options: object = {}) =>
  source(old)
    .groupBy('k')
    .flatMapGroupsWithState(() => [], { state, output: { k: t.string() }, outputMode: 'append', ...options })

interface Case {
  readonly before: () => Untyped
  readonly after: Readonly<Record<string, () => Untyped>>
  readonly mode?: 'append' | 'update'
}
const kxy = ['k', 'at', 'v']
const one = { x: t.int() }
const cases: Readonly<Record<string, Case>> = {
  aggregation: {
    before: () => grouped(old, ['k'], 'count(*) AS n', 'sum(v) AS s'),
    mode: 'update',
    after: {
      'the same': () => grouped(old, ['k'], 'count(*) AS n', 'sum(v) AS s'),
      'a key and an aggregate more, one less, a wider type': () => grouped(wide, ['k', 'region'], 'sum(v) AS s', 'max(v) AS m'),
      'a key more that is never null': () =>
        grouped(old, ['k', expr("coalesce(k, 'none') = 'k0'").as('first')], 'count(*) AS n', 'sum(v) AS s'),
      'without its key': () => grouped(old, [], 'count(*) AS n'),
      'another function under the name': () => grouped(old, ['k'], 'count(*) AS n', 'max(v) AS s'),
      'another expression under the name': () => grouped(old, ['k'], 'count(*) AS n', 'sum(v + 1) AS s'),
      'another expression as the key': () => grouped(old, [expr('upper(k)').as('k')], 'count(*) AS n', 'sum(v) AS s'),
      'a deduplication in its place': () => source(old).dropDuplicates(['k']),
      'a deduplication before it': () =>
        source(old).dropDuplicates(['k', 'v']).groupBy('k').agg(expr('count(*) AS n'), expr('sum(v) AS s')),
      'no aggregation': () => source(old),
    },
  },
  'aggregation by windows': {
    before: () => windows('5 seconds'),
    mode: 'update',
    after: { 'other windows': () => windows('10 seconds'), 'another delay': () => windows('5 seconds', '1 minute') },
  },
  sessions: {
    before: () => sessions(old, '5 seconds', ['k'], 'count(*) AS n'),
    after: {
      'a key and an aggregate more': () => sessions(wide, '5 seconds', ['k', 'region'], 'count(*) AS n', 'max(v) AS m'),
      'another gap': () => sessions(old, '9 seconds', ['k'], 'count(*) AS n'),
    },
  },
  dropDuplicates: {
    before: () => source(old).dropDuplicates(['k']),
    after: {
      'a column more': () => source(wide).dropDuplicates(['k', 'region']),
      'other columns': () => source(old).dropDuplicates(['v']),
      'within the watermark': () => marked(old).dropDuplicatesWithinWatermark(['k']),
      'no deduplication': () => source(old),
    },
  },
  limit: { before: () => source(old).limit(5), after: { 'another number': () => source(old).limit(9), 'no limit': () => source(old) } },
  join: {
    before: () => joined(old, kxy),
    after: {
      'a column more and a wider one': () => joined(wide, [...kxy, 'region']),
      'a left join': () => joined(old, kxy, 'left'),
      'another key': () => joined(old, kxy, 'inner', 'v = rv'),
      'other times': () => joined(old, kxy, 'inner', 'k = rk', 9),
      'a column renamed above it': () => joined(old, kxy).withColumnRenamed('v', 'w'),
    },
  },
  transformWithState: {
    before: () => processor((h) => [h.getValueState('a', one), h.getListState('b', t.int())]),
    after: {
      'a wider field, a field and a variable more': () =>
        processor((h) => [
          h.getValueState('a', { x: t.long(), y: t.string().nullable() }),
          h.getListState('b', t.int()),
          h.getMapState('c', t.string(), t.int()),
        ]),
      'a variable less': () => processor((h) => h.getValueState('a', one)),
      'a variable deleted': () => processor((h) => [h.getValueState('a', one), h.deleteIfExists('b')]),
      'another kind of variable': () => processor((h) => [h.getValueState('a', one), h.getValueState('b', t.int())]),
      'a narrower field': () => processor((h) => [h.getValueState('a', { x: t.short() }), h.getListState('b', t.int())]),
      'a TTL, and timers': () =>
        processor((h) => [h.getValueState('a', one), h.getListState('b', t.int(), { ttlDuration: 1000 })], { timeMode: 'ProcessingTime' }),
    },
  },
  flatMapGroupsWithState: {
    before: () => flatMap(one),
    after: {
      'a wider field and one more': () => flatMap({ x: t.long(), y: t.string().nullable() }),
      'another type': () => flatMap({ x: t.string() }),
      'a field more that is never null': () => flatMap({ ...one, y: t.string() }),
      'a timeout': () => flatMap(one, { timeout: 'ProcessingTimeTimeout' }),
    },
  },
}

test('what it says', async () => {
  const texts: string[] = []
  for (const [name, { before, after, mode = 'append' }] of Object.entries(cases)) {
    const start = async (frame: Untyped) => {
      const query = await frame.writeStream
        .queryName(name)
        .outputMode(mode)
        .trigger({ availableNow: true })
        .format('noop')
        .option('checkpointLocation', join(root, name))
        .start()
      await query.awaitTermination()
    }
    await start(before())
    process.env['MILLRACE_PLAN'] = 'true'
    try {
      for (const [what, changed] of Object.entries(after)) {
        await start(changed())
        const text = planText(plannedQueries().at(-1)!).split('\n').slice(1).join('\n').trimEnd()
        texts.push(`== ${name}: ${what} -> ${plannedQueries().at(-1)!.verdict}\n${text}\n`)
      }
    } finally {
      delete process.env['MILLRACE_PLAN']
    }
  }
  await expect(texts.join('\n')).toMatchFileSnapshot('golden/plan-of-changes.txt')
})
