import { describe, expect, test } from 'vitest'
import { ManualClock } from '../base/clock.ts'
import { LocalFiles } from '../base/local-files.ts'
import type { Row, RowSet } from '../data/row-set.ts'
import { Schema } from '../data/schema.ts'
import type { OutputMode } from '../plan/logical-plan.ts'
import { runChecks } from '../testing/conformance.ts'
import { ObjectRowSet } from '../testing/object-row-set.ts'
import { numbersOf, sinkConformance } from '../testing/sink-conformance.ts'
import { foreachBatchSink } from './foreach-batch.ts'
import { MemoryTable, type MemoryTables } from './memory-sink.ts'
import { sinkProviders } from './providers.ts'
import type { Sink, SinkContext } from './sink.ts'

const schema = new Schema([{ name: 'n', type: 'long', nullable: false }])
const rowsOf = (numbers: readonly number[]): RowSet =>
  new ObjectRowSet(
    schema,
    numbers.map((n) => ({ n })),
  )

function context(more: Partial<SinkContext> = {}): SinkContext {
  return {
    format: 'x',
    schema,
    options: {},
    partitionBy: [],
    outputMode: 'append',
    queryId: 'q',
    queryName: 'table',
    epoch: 1,
    recovering: false,
    files: new LocalFiles(),
    clock: new ManualClock(),
    checkFence: async () => {},
    conf: () => undefined,
    print: () => {},
    ...more,
  }
}
function open(format: string, more: Partial<SinkContext> = {}): Promise<Sink> {
  return sinkProviders.find((provider) => provider.formats.includes(format))!.open(context({ format, ...more }))
}

describe('memory', () => {
  describe('conformance', () => {
    runChecks(
      sinkConformance(
        async () => {
          const tables: MemoryTables = new Map()
          return {
            open: (run) => open('memory', { ...run, instance: tables }),
            rows: rowsOf,
            visible: async () => numbersOf(tables.get('table')!.rows),
          }
        },
        { guarantee: 'none' },
      ),
      { test, skip: test.skip },
    )
  })

  for (const [outputMode, expected] of [
    ['append', [1, 2, 3]],
    ['update', [1, 2, 3]],
    ['complete', [3]],
  ] as [OutputMode, number[]][]) {
    test(`${outputMode}: rows by batch, a batch once`, async () => {
      const tables: MemoryTables = new Map()
      const sink = await open('memory', { instance: tables, outputMode })
      expect(tables.get('table')!.rows).toEqual([])
      await sink.addBatch({ batchId: 0, rows: rowsOf([1, 2]), outputMode })
      expect(await sink.addBatch({ batchId: 1, rows: rowsOf([3]), outputMode })).toEqual({ status: 'committed', numOutputRows: 1 })
      expect((await sink.addBatch({ batchId: 1, rows: rowsOf([3]), outputMode })).status).toBe('already-committed')
      const table = tables.get('table')!
      expect([numbersOf(table.rows), numbersOf(table.lastBatch)]).toEqual([expected, [3]])
      table.clear()
      expect(table.rows).toEqual([])
    })
  }

  test('an old checkpoint is refused but in complete mode, whose first batch brings everything back', async () => {
    const instance: MemoryTables = new Map([['table', new MemoryTable(schema, 'append')]])
    for (const outputMode of ['append', 'update'] as const) {
      await expect(open('memory', { instance, recovering: true, outputMode })).rejects.toMatchObject({
        name: 'InvalidQueryError',
        code: 'MEMORY_SINK_RECOVERY_UNSUPPORTED',
      })
    }
    await open('memory', { instance, recovering: true, outputMode: 'complete' })
    await expect(open('memory', { instance, queryName: null })).rejects.toMatchObject({ code: 'QUERY_NAME_REQUIRED' })
    await expect(open('memory', { instance, options: { path: 'x' } })).rejects.toMatchObject({ code: 'UNKNOWN_OPTION' })
  })
})

describe('foreachBatch', () => {
  describe('conformance', () => {
    runChecks(
      sinkConformance(
        async () => {
          const seen: Row[] = []
          return {
            open: async () => foreachBatchSink(async (rows) => void seen.push(...(await rows.toObjects()))),
            rows: rowsOf,
            visible: async () => numbersOf(seen),
          }
        },
        { guarantee: 'at-least-once' },
      ),
      { test, skip: test.skip },
    )
  })

  test('a batch is delivered again under its id; what the function throws is the cause', async () => {
    const calls: number[] = []
    const boom = new Error('no connection')
    const sink = await open('foreachbatch', {
      instance: (_: RowSet, batchId: number) => {
        calls.push(batchId)
        if (calls.length === 1) throw boom
      },
    })
    await expect(sink.addBatch({ batchId: 7, rows: rowsOf([1]), outputMode: 'append' })).rejects.toMatchObject({
      name: 'UserFunctionError',
      code: 'FOREACH_BATCH_USER_FUNCTION_ERROR',
      cause: boom,
      message: expect.stringMatching(/batch 7: no connection/),
    })
    expect(await sink.addBatch({ batchId: 7, rows: rowsOf([1]), outputMode: 'append' })).toEqual({ status: 'committed', numOutputRows: -1 })
    expect(calls).toEqual([7, 7])
    await expect(open('foreachbatch')).rejects.toMatchObject({ code: 'FOREACH_BATCH_FUNCTION_MISSING' })
  })
})

describe('console', () => {
  test('prints as Spark does', async () => {
    const printed: string[] = []
    const sink = await open('console', { print: (text) => void printed.push(text) })
    await sink.addBatch({ batchId: 3, rows: rowsOf([1, 20000]), outputMode: 'append' })
    expect(printed).toEqual([
      [
        '-------------------------------------------',
        'Batch: 3',
        '-------------------------------------------',
        '+-----+',
        '|    n|',
        '+-----+',
        '|    1|',
        '|20000|',
        '+-----+',
        '',
      ].join('\n'),
    ])
  })
  test('numRows and truncate', async () => {
    const text = new Schema([{ name: 's', type: 'string', nullable: true }])
    const printed: string[] = []
    const rows = new ObjectRowSet(text, [{ s: 'x'.repeat(25) }, { s: null }])
    const show = async (options: Record<string, string>) => {
      await (await open('console', { schema: text, options, print: (line) => void printed.push(line) })).addBatch({
        batchId: 0,
        rows,
        outputMode: 'append',
      })
      return printed.pop()!.split('\n').slice(5).slice(1)
    }
    expect(await show({})).toEqual([`|${'x'.repeat(17)}...|`, `|${' '.repeat(16)}NULL|`, `+${'-'.repeat(20)}+`, ''])
    expect(await show({ truncate: 'false', numRows: '1' })).toEqual([
      `|${'x'.repeat(25)}|`,
      `+${'-'.repeat(25)}+`,
      'only showing top 1 row',
    ])
    await expect(open('console', { options: { numRow: '1' } })).rejects.toMatchObject({ code: 'UNKNOWN_OPTION' })
    await expect(open('console', { options: { numRows: '-1' } })).rejects.toMatchObject({ code: 'INVALID_OPTION_VALUE' })
  })
})

test('noop computes the rows and keeps none', async () => {
  let consumed = 0
  const rows = new ObjectRowSet(schema, [{ n: 1 }])
  rows.consume = async () => void consumed++
  const sink = await open('noop')
  expect(await sink.addBatch({ batchId: 0, rows, outputMode: 'update' })).toEqual({ status: 'committed', numOutputRows: -1 })
  expect([consumed, sink.guarantee]).toEqual([1, 'none'])
})

test('every format has one provider, in lower case', () => {
  expect(sinkProviders.flatMap((provider) => provider.formats)).toEqual([
    'parquet',
    'json',
    'csv',
    'text',
    'foreachbatch',
    'foreach',
    'memory',
    'console',
    'noop',
  ])
})
