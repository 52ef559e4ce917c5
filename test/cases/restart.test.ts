// Each rule for a query that changed between two runs, tried with two real runs on one checkpoint.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { avg, count, type Engine, MillraceError, max, millrace, sum, t, to_date, window } from 'millrace'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RestartRuleName, restartRules } from '../../src/checkpoint/restart-rules.ts'
import { tempFolder } from '../../src/testing/temp-folder.ts'

let folder: Awaited<ReturnType<typeof tempFolder>>
let engine: Engine
const printed: string[] = []
beforeAll(async () => {
  folder = await tempFolder()
  engine = await millrace.local({ threads: 1, print: (text) => printed.push(text) })
  for (const name of ['in', 'other']) {
    await mkdir(join(folder.path, name))
    await writeFile(join(folder.path, name, 'a.json'), '{"at":"2001-01-01T00:00:00Z","user":"ann","price":2}\n')
  }
})
afterAll(async () => {
  await engine.close()
  await folder.remove()
})

const click = { at: t.timestamp(), user: t.string(), price: t.int() }
interface Run {
  readonly input?: string
  readonly name?: string
  readonly second?: string
  readonly output?: string
  readonly format?: string
  readonly mode?: 'append' | 'update' | 'complete'
  readonly conf?: Readonly<Record<string, string>>
}
function source(input: string, name?: string, schema: object = click) {
  const reader = name === undefined ? engine.readStream : engine.readStream.name(name)
  return reader.schema(schema as typeof click).json(join(folder.path, input))
}
type Clicks = ReturnType<typeof source>
const clicks = ({ input = 'in', name, second }: Run = {}): Clicks =>
  second === undefined ? source(input, name) : (source(input, name).union(source('other', second)) as unknown as Clicks)

let checkpoints = 0
/** Runs one query until its input is read. */
async function run(
  frame: { readonly writeStream: unknown },
  checkpoint: string,
  { output = 'out', format = 'memory', mode = 'append', conf = {} }: Run,
) {
  const writer = (frame as { writeStream: any }).writeStream
    .outputMode(mode)
    .format(format)
    .trigger({ availableNow: true })
    .options({ checkpointLocation: checkpoint, ...conf })
  const query = await writer.start(format === 'json' ? join(folder.path, output) : undefined)
  await query.awaitTermination()
  return query.lastProgress
}
/** Two runs on one checkpoint: what the second was refused with, or what was told of it. */
async function restart(first: [{ readonly writeStream: unknown }, Run?], second: [{ readonly writeStream: unknown }, Run?]) {
  const checkpoint = join(folder.path, `checkpoint-${++checkpoints}`)
  await run(first[0], checkpoint, { format: 'noop', ...first[1] })
  printed.length = 0
  try {
    await run(second[0], checkpoint, { format: 'noop', ...second[1] })
    return { code: null, text: printed.join('\n'), checkpoint }
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    return { code: error.code, text: error.message, checkpoint }
  }
}
const tried = new Set<RestartRuleName>()
/** The verdict is the table's; the text names the old and the new. */
function expectRule(rule: RestartRuleName, got: { readonly code: string | null; readonly text: string }, ...words: string[]) {
  tried.add(rule)
  const is = restartRules[rule]
  expect(got.code, got.text).toBe(is.verdict === 'refused' ? is.code : null)
  for (const word of is.verdict === 'allowed' ? [] : words) expect(got.text).toContain(word)
  if (is.verdict === 'allowed') expect(got.text).toBe('')
}

const byUser = (frame: Clicks) => frame.groupBy('user').agg(({ price }) => ({ total: sum(price) }))
const updates: Run = { mode: 'update' }

describe('sources', () => {
  test('added under a name', async () => {
    const got = await restart([clicks({ name: 'a' })], [clicks({ name: 'a', second: 'b' })])
    expectRule('source-added', got)
  })
  test('removed under a name: its offset stays, and it goes on from there', async () => {
    const got = await restart([clicks({ name: 'a', second: 'b' })], [clicks({ name: 'a' })])
    expectRule('source-removed', got, 'b (json)')
    await writeFile(join(folder.path, 'in', 'b.json'), '{"at":"2001-01-01T00:00:01Z","user":"bob","price":3}\n')
    await run(clicks({ name: 'a' }), got.checkpoint, { format: 'noop' })
    const back = await run(clicks({ name: 'a', second: 'b' }), got.checkpoint, { format: 'noop' })
    expect(back?.numInputRows ?? 0).toBe(0)
  })
  test('in another order under their names', async () => {
    const [a, b] = [() => source('in', 'a'), () => source('other', 'b')]
    const got = await restart([a().union(b())], [b().union(a())])
    expect([got.code, got.text]).toEqual([null, ''])
  })
  test('added without a name', async () => {
    const got = await restart([clicks()], [source('in').union(source('other'))])
    expectRule('source-count-changed', got, '0 (json)', '1 (json)')
  })
  test('of another format', async () => {
    const rate = engine.readStream.format('rate-micro-batch').option('rowsPerBatch', 1).load()
    expectRule('source-format-changed', await restart([clicks()], [rate]), 'json', 'rate-micro-batch')
  })
  test('from another path', async () => {
    expectRule('source-path-changed', await restart([clicks()], [clicks({ input: 'other' })]), '/in', '/other')
  })
  test('with another schema', async () => {
    const wide = source('in', undefined, { ...click, note: t.string() }).select('at', 'user', 'price')
    expectRule('source-schema-changed', await restart([clicks()], [wide]))
  })
})

describe('sinks', () => {
  test('to files', async () => {
    expectRule('sink-to-file', await restart([clicks()], [clicks(), { format: 'json' }]), 'noop', '/out')
  })
  test('from files to another', async () => {
    expectRule('sink-format-changed', await restart([clicks(), { format: 'json', output: 'out-1' }], [clicks()]), 'json', 'noop')
  })
  test('to another folder', async () => {
    const got = await restart([clicks(), { format: 'json', output: 'out-2' }], [clicks(), { format: 'json', output: 'out-3' }])
    expectRule('sink-path-changed', got, 'out-2', 'out-3')
    expect(await readdir(folder.path)).not.toContain('out-3')
  })
  test('with other columns', async () => {
    expectRule('columns-changed', await restart([clicks()], [clicks().select('user')]), 'at timestamp', '(user string)')
  })
})

describe('stateless steps change freely', () => {
  test('filters', async () => {
    const got = await restart([clicks()], [clicks().where(({ price }) => price.gt(1))])
    expect([got.code, got.text]).toEqual([null, ''])
  })
  test('projections with the same columns', async () => {
    const got = await restart([clicks().select('price')], [clicks().select(({ price }) => ({ price: price.mul(1) }))])
    expect(got.code, got.text).toBeNull()
  })
})

describe('stateful operators', () => {
  test('added', async () => {
    expectRule('operator-added', await restart([clicks(), updates], [byUser(clicks()), updates]), 'aggregate 0 by user')
  })
  test('removed', async () => {
    expectRule('operator-removed', await restart([byUser(clicks()), updates], [clicks(), updates]), 'aggregate 0 by user')
  })
  const byBoth = (...keys: ('user' | 'at')[]) =>
    clicks()
      .groupBy(...keys)
      .agg(({ price }) => ({ total: sum(price) }))
  test('grouped by a nullable key more', async () => {
    expectRule('key-added', await restart([byUser(clicks()), updates], [byBoth('user', 'at'), updates]), 'at timestamp')
  })
  test('grouped by a key less', async () => {
    expectRule('keys-changed', await restart([byBoth('user', 'at'), updates], [byUser(clicks()), updates]), 'user string', 'at timestamp')
  })
  test('grouped by the same keys in another order', async () => {
    expectRule(
      'keys-reordered',
      await restart([byBoth('user', 'at'), updates], [byBoth('at', 'user'), updates]),
      'user string, at timestamp',
    )
  })
  test('grouped by a key of a wider type', async () => {
    const by = (type: 'int' | 'long') =>
      clicks()
        .groupBy(({ price }) => ({ price: price.cast(type) }))
        .agg(() => ({ n: count() }))
    expectRule('key-widened', await restart([by('int'), updates], [by('long'), updates]), 'int', 'bigint')
  })
  test('grouped by a key of another type', async () => {
    const other = clicks()
      .groupBy('price')
      .agg(({ price }) => ({ total: sum(price) }))
    expectRule('keys-changed', await restart([byUser(clicks()), updates], [other, updates]), 'user string', 'price int')
  })
  test('grouped by another expression of the same type', async () => {
    const by = (minutes: number) =>
      clicks()
        .groupBy(({ at }) => ({ w: window(at, `${minutes} minutes`) }))
        .agg(() => ({ n: count() }))
    expectRule('keys-expression-changed', await restart([by(5), updates], [by(10), updates]), '5 minutes', '10 minutes')
  })
  const more = (frame: Clicks) => frame.groupBy('user').agg(({ price }) => ({ total: sum(price), n: count() }))
  test('an aggregate more', async () => {
    expectRule('aggregate-added', await restart([byUser(clicks()), updates], [more(clicks()), updates]), 'n = count(1)')
  })
  test('an aggregate less', async () => {
    expectRule('aggregate-dropped', await restart([more(clicks()), updates], [byUser(clicks()), updates]), 'n = count(1)')
  })
  test('the same aggregate of a wider type', async () => {
    const most = (type: 'int' | 'long') =>
      clicks()
        .withColumn('price', ({ price }) => price.cast(type))
        .groupBy('user')
        .agg(({ price }) => ({ most: max(price) }))
    expectRule('value-widened', await restart([most('int'), updates], [most('long'), updates]), 'most int', 'most bigint')
  })
  test('the same aggregate of a narrower type', async () => {
    const most = (type: 'int' | 'long') =>
      clicks()
        .withColumn('price', ({ price }) => price.cast(type))
        .groupBy('user')
        .agg(({ price }) => ({ most: max(price) }))
    expectRule('values-changed', await restart([most('long'), updates], [most('int'), updates]), 'most bigint', 'most int')
  })
  test('another function under the same name', async () => {
    const counted = clicks()
      .groupBy('user')
      .agg(() => ({ total: count() }))
    expectRule('functions-changed', await restart([byUser(clicks()), updates], [counted, updates]), 'sum(price)', 'count(1)')
  })
  test('another function with other state', async () => {
    const other = clicks()
      .groupBy('user')
      .agg(({ price }) => ({ total: avg(price) }))
    expectRule('functions-changed', await restart([byUser(clicks()), updates], [other, updates]), 'sum(price)', 'avg(price)')
  })
  test('the same function of something else', async () => {
    const twice = clicks()
      .groupBy('user')
      .agg(({ price }) => ({ total: sum(price.mul(2)) }))
    expectRule('aggregate-expression-changed', await restart([byUser(clicks()), updates], [twice, updates]), 'sum(price)', '2')
  })
  test('other names', async () => {
    const renamed = clicks()
      .groupBy('user')
      .agg(({ price }) => ({ revenue: sum(price) }))
    const got = await restart([byUser(clicks()), updates], [renamed, updates])
    tried.add('names-changed')
    expect(got.code, got.text).toBeNull()
  })
  test('several changes are named at once', async () => {
    const other = clicks({ input: 'other' })
      .groupBy('price')
      .agg(({ at }) => ({ last: max(at) }))
    const got = await restart([byUser(clicks()), updates], [other, updates])
    expect(got.text).toContain('price int')
    expect(got.text).toContain('user string')
  })
})

describe('whole operators', () => {
  const deduped = (...columns: ('user' | 'at')[]) => clicks().dropDuplicates(columns) as unknown as Clicks
  test('a deduplication comes', async () => {
    expectRule('deduplication-added', await restart([clicks()], [deduped('user')]), 'dedupe 0 by user is new')
  })
  test('a deduplication goes, and comes back after batches without state', async () => {
    const got = await restart([deduped('user')], [clicks()])
    expectRule('deduplication-removed', got, 'dedupe 0 by user is gone')
    for (const [name, frame] of [
      ['c', clicks()],
      ['d', clicks()],
      ['e', deduped('user')],
      ['f', deduped('user')],
    ] as const) {
      await writeFile(join(folder.path, 'in', `${name}.json`), `{"at":"2001-01-01T00:00:01Z","user":"${name}","price":3}\n`)
      await run(frame, got.checkpoint, { format: 'noop' })
    }
  })
  test('a deduplication goes below an aggregation, which finds its state under the number that it had', async () => {
    const counts = (frame: Clicks) => byUser(frame)
    const got = await restart([counts(deduped('user', 'at')), updates], [counts(clicks()), updates])
    expectRule('deduplication-removed', got, 'is gone')
    expect(got.text).not.toContain('aggregate')
  })
  test('a limit goes', async () => {
    expectRule('limit-removed', await restart([clicks().limit(3)], [clicks()]), 'limit 0 is gone')
  })
  test('an aggregation becomes a limit', async () => {
    const got = await restart([byUser(clicks()), { mode: 'complete' }], [clicks().limit(5)])
    expectRule('operator-changed', got, 'aggregate 0 by user', 'limit 0')
  })
})

describe('rows that a join stores', () => {
  const others = () => source('other').select(({ user, price, at }) => ({ name: user, cost: price, late: at }))
  const joined = (shown: (frame: any) => any = (frame) => frame) => {
    const pairs = clicks().join(others(), (l, r) => l.user.eq(r.name), 'inner')
    return shown(pairs)
  }
  test('a column more', async () => {
    const got = await restart([joined((pairs) => pairs.select('user', 'price'))], [joined((pairs) => pairs.select('user', 'price', 'at'))])
    expectRule('value-added', got, 'at timestamp')
  })
  test('a column less', async () => {
    const got = await restart([joined((pairs) => pairs.select('user', 'price', 'at'))], [joined((pairs) => pairs.select('user', 'price'))])
    expectRule('value-dropped', got, 'at timestamp')
  })
  test('a column of another name in the place of one', async () => {
    const other = () => {
      const renamed = clicks().select(({ user, price }) => ({ user, prize: price }))
      return renamed.join(others(), (l, r) => l.user.eq(r.name), 'inner').select('user', 'prize')
    }
    const got = await restart([joined((pairs) => pairs.select('user', 'price'))], [other()])
    expectRule('value-renamed', got, 'price', 'prize')
  })
})

describe('output mode and watermark', () => {
  const windows = (delay: string, column: 'at' | 'later' = 'at') =>
    clicks()
      .withColumn('later', ({ at }) => at)
      .withWatermark(column, delay)
      .groupBy((c) => ({ w: window(c[column], '5 minutes') }))
      .agg(() => ({ n: count() }))
  test('to complete', async () => {
    expectRule(
      'mode-to-complete',
      await restart([windows('1 minute'), updates], [windows('1 minute'), { mode: 'complete' }]),
      'update',
      'complete',
    )
  })
  test('from update to append', async () => {
    expectRule('mode-changed', await restart([windows('1 minute'), updates], [windows('1 minute'), { mode: 'append' }]), 'update', 'append')
  })
  test('another delay', async () => {
    expectRule('watermark-delay-changed', await restart([windows('1 minute'), updates], [windows('2 minutes'), updates]))
  })
  test('another column', async () => {
    const got = await restart([windows('1 minute'), updates], [windows('1 minute', 'later'), updates])
    expectRule('watermark-changed', got, 'at', 'later')
  })
})

describe('configuration', () => {
  const partitions = 'spark.sql.shuffle.partitions'
  test('partitions may change', async () => {
    const got = await restart(
      [byUser(clicks()), { ...updates, conf: { [partitions]: '2' } }],
      [byUser(clicks()), { ...updates, conf: { [partitions]: '3' } }],
    )
    expect([got.code, got.text]).toEqual([null, ''])
  })
  test('pinned keys keep their value, and the user is told', async () => {
    const key = 'millrace.keyGroups'
    const got = await restart(
      [byUser(clicks()), { ...updates, conf: { [key]: '16' } }],
      [byUser(clicks()), { ...updates, conf: { [key]: '32' } }],
    )
    expect([got.code, got.text]).toEqual([
      null,
      `millrace: the checkpoint keeps ${key} = 16; the 32 that is configured now has no effect on it`,
    ])
  })
})

test('the time zone that the checkpoint began with stays, and the user is told', async () => {
  const key = 'spark.sql.session.timeZone'
  const told: string[] = []
  const elsewhere = await millrace.local({ threads: 1, print: (text) => told.push(text), conf: { [key]: 'Asia/Tokyo' } })
  try {
    const input = join(folder.path, 'days')
    await mkdir(input)
    const days = async (on: Engine) => {
      const rows = on.readStream.schema(click).json(input)
      const counted = rows.groupBy(({ at }) => ({ day: to_date(at) })).agg(() => ({ n: count() }))
      const seen: unknown[] = []
      const query = await counted.writeStream
        .outputMode('complete')
        .trigger({ availableNow: true })
        .option('checkpointLocation', join(folder.path, 'checkpoint-days'))
        .foreachBatch(async (batch) => {
          seen.splice(0, seen.length, ...(await batch.collect()).map(({ day, n }) => `${day} ${n}`))
        })
        .start()
      await query.awaitTermination()
      return seen
    }
    const row = '{"at":"2001-01-01T20:00:00Z","user":"ann","price":2}\n'
    await writeFile(join(input, 'a.json'), row)
    expect(await days(engine)).toEqual(['2001-01-01 1'])
    await writeFile(join(input, 'b.json'), row)
    // in Tokyo it is the next day already
    expect(await days(elsewhere)).toEqual(['2001-01-01 2'])
    expect(told.join()).toContain(`the checkpoint keeps ${key} = UTC; the Asia/Tokyo that is configured now`)
  } finally {
    await elsewhere.close()
  }
})

test('a start that was refused leaves nothing: the right query goes on, and the wrong one is refused again', async () => {
  const got = await restart([byUser(clicks()), updates], [clicks(), updates])
  const runs = await readdir(join(got.checkpoint, 'runs'))
  expect(runs.filter((name) => /^\d+$/.test(name))).toEqual(['1'])
  await expect(run(clicks(), got.checkpoint, { ...updates, format: 'noop' })).rejects.toMatchObject({ code: got.code })
  await run(byUser(clicks()), got.checkpoint, { ...updates, format: 'noop' })
})

test('before its first batch a query may change altogether', async () => {
  const checkpoint = join(folder.path, 'checkpoint-new')
  await mkdir(join(folder.path, 'empty'))
  await run(source('empty'), checkpoint, { format: 'noop' })
  await run(byUser(clicks()), checkpoint, { ...updates, format: 'noop' })
})

test('the record of a run says what it ran', async () => {
  const got = await restart([byUser(clicks()), updates], [byUser(clicks()), updates])
  const record = JSON.parse((await readFile(join(got.checkpoint, 'runs', '1'), 'utf8')).split('\n')[1]!)
  expect(record.shape.operators).toEqual([
    expect.objectContaining({ operator: 'aggregate', groupedBy: ['user'], computes: ['sum(price)'], functions: ['sum'] }),
  ])
})

test('every rule of the table was tried', () => {
  // those are tried against the state alone (src/state/match-state.test.ts), functions with state in transform-with-state-restart.test.ts, and in state-defaults.test.ts
  const elsewhere = /^(operator-ambiguous|stores-changed|state-function-.*|variable-.*|(key|value)-without-default)$/
  expect(Object.keys(restartRules).filter((rule) => !tried.has(rule as RestartRuleName) && !elsewhere.test(rule))).toEqual([])
})
