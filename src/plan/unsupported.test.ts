import { describe, expect, test } from 'vitest'
import {
  batchScan,
  deduplicate,
  distinct,
  filter,
  groupBy,
  groupingSets,
  join,
  limit,
  offset,
  project,
  rollupSets,
  sample,
  setOperation,
  sort,
  streamScan,
  union,
  unpivot,
  watermark,
} from './analyze.ts'
import type { UnresolvedExpression } from './expression.ts'
import type { JoinType, LogicalPlan, OutputMode } from './logical-plan.ts'
import { parseDdl } from './schema-text.ts'
import { checkStreaming } from './unsupported.ts'

const schema = parseDdl('at timestamp, at2 timestamp, k string, n int')
const table = batchScan({ format: 'parquet', options: {}, paths: ['/t'], schema })
const stream = () => streamScan({ format: 'json', options: {}, schema })
const a = (name: string): UnresolvedExpression => ({ kind: 'attribute', name })
const count = [{ name: 'c', expression: { kind: 'call', name: 'count', args: [] } as const }]
const window: UnresolvedExpression = {
  kind: 'call',
  name: 'window',
  args: [a('at'), { kind: 'literal', value: '5 seconds', type: 'string' }],
}
const by = (input: LogicalPlan, ...keys: UnresolvedExpression[]) =>
  groupBy(
    input,
    keys.map((expression) => ({ expression })),
    count,
  )

const marked = watermark(stream(), 'at', '10 seconds')
const windowed = by(marked, window)
const plain = by(stream(), a('k'))

function verdict(plan: LogicalPlan, mode: OutputMode): string {
  try {
    checkStreaming(plan, mode)
    return 'ok'
  } catch (error) {
    return (error as { code: string }).code
  }
}
const mode = 'STREAMING_OUTPUT_MODE.UNSUPPORTED_OPERATION'
const refused = 'UNSUPPORTED_STREAMING_OPERATION'
const unmarked = 'UNSUPPORTED_STREAMING_OPERATOR_WITHOUT_WATERMARK'

describe('what each output mode allows', () => {
  test.each<[string, LogicalPlan, append: string, update: string, complete: string]>([
    ['stateless', project(filter(stream(), { kind: 'literal', value: true, type: 'boolean' }), [a('k')]), 'ok', 'ok', mode],
    ['union of streams', union([stream(), stream()]), 'ok', 'ok', mode],
    ['aggregation by a window with watermark', windowed, 'ok', 'ok', 'ok'],
    ['aggregation by the event time itself', by(marked, a('at')), 'ok', 'ok', 'ok'],
    ['aggregation by another key, with watermark', by(marked, a('k')), mode, 'ok', 'ok'],
    ['aggregation without watermark (B3)', plain, mode, 'ok', 'ok'],
    ['one row over everything', by(marked), mode, 'ok', 'ok'],
    [
      'stateless steps above an aggregation',
      project(filter(windowed, { kind: 'literal', value: true, type: 'boolean' }), [a('c')]),
      'ok',
      'ok',
      'ok',
    ],
    ['join with a table above an aggregation', join(by(marked, window, a('k')), table, { using: ['k'] }, 'left'), 'ok', 'ok', 'ok'],
    ['sort of rows', sort(stream(), [a('k')]), refused, refused, mode],
    ['sort of an aggregation', sort(windowed, [a('c')]), refused, refused, 'ok'],
    ['limit of an aggregation', limit(sort(plain, [a('c')]), 3), mode, refused, 'ok'],
    ['limit of rows', limit(stream(), 3), 'ok', mode, mode],
    ['limit below an aggregation (B12)', by(limit(stream(), 3), a('k')), mode, mode, 'ok'],
    ['distinct', distinct(stream()), mode, 'ok', 'ok'],
    ['a sample', sample(stream(), 0.5, false, 1n), refused, refused, mode],
    ['offset', offset(stream(), 1), refused, refused, mode],
    ['intersect', setOperation('intersect', stream(), stream(), false), refused, refused, mode],
    ['except with the stream on the right', setOperation('except', table, stream(), false), refused, refused, mode],
    ['except of a table', setOperation('except', stream(), table, false), unmarked, 'ok', mode],
    ['except of a table, with watermark', setOperation('except', marked, table, false), 'ok', 'ok', mode],
    ['except of an aggregation', setOperation('except', plain, by(table, a('k')), false), mode, mode, mode],
    ['dropDuplicates of an aggregation', deduplicate(plain, null), mode, 'ok', 'ok'],
    ['dropDuplicates of an aggregation by its window', deduplicate(windowed, null), 'ok', mode, mode],
    ['exceptAll of a table', setOperation('except', stream(), table, true), refused, refused, mode],
    ['rollup', groupingSets(stream(), { keys: [{ expression: a('k') }], sets: rollupSets(1), items: [] }), mode, 'ok', 'ok'],
    ['unpivot', unpivot(stream(), [a('k')], [a('n')], 'name', 'value'), 'ok', 'ok', mode],
    ['aggregation of an aggregation', groupBy(windowed, [{ expression: a('c') }], []), mode, mode, mode],
    ['aggregation of an aggregation by its window', groupBy(windowed, [{ expression: a('window') }], []), 'ok', mode, mode],
    ['union of a stream and a table', union([stream(), table]), refused, refused, mode],
    ['a static aggregation joined', join(stream(), by(table, a('k')), { using: ['k'] }), 'ok', 'ok', mode],
  ])('%s', (_, plan, append, update, complete) => {
    const found = { append: verdict(plan, 'append'), update: verdict(plan, 'update'), complete: verdict(plan, 'complete') }
    expect(found).toEqual({ append, update, complete })
  })
})

test.each<[JoinType, streamLeft: string, streamRight: string, both: string]>([
  ['inner', 'ok', 'ok', 'ok'],
  ['left', 'ok', refused, refused],
  ['right', refused, 'ok', refused],
  ['full', refused, refused, refused],
  ['semi', 'ok', refused, refused],
  ['anti', 'ok', refused, refused],
])('%s join of streams and tables', (how, streamLeft, streamRight, both) => {
  const verdictOf = (l: LogicalPlan, r: LogicalPlan) => verdict(join(l, r, { using: ['k'] }, how), 'append')
  expect([verdictOf(stream(), table), verdictOf(table, stream()), verdictOf(stream(), stream())]).toEqual([streamLeft, streamRight, both])
})

test('of several reasons the first one from the sources up is named, and last what stands above an aggregation', () => {
  const refusal = (plan: LogicalPlan) => {
    try {
      checkStreaming(plan, 'complete')
      return 'none'
    } catch (error) {
      return (error as Error).message.split('\n')[0]
    }
  }
  expect(refusal(setOperation('intersect', offset(plain, 1), plain, false))).toMatch(/offset/i)
  expect(refusal(offset(setOperation('intersect', plain, plain, false), 1))).toMatch(/intersection/)
  expect(refusal(by(plain, a('k')))).toMatch(/over a streaming aggregation/)
  expect(refusal(offset(by(plain, a('k')), 1))).toMatch(/offset/i)
})

test('watermarks (A17)', () => {
  expect(() => checkStreaming(watermark(marked, 'at2', '1 second'), 'append')).toThrow(/Redefining watermark is disallowed\./)
  expect(verdict(union([marked, watermark(stream(), 'at', '5 seconds')]), 'append')).toBe('ok')
  const maxTime = groupBy(stream(), [{ expression: a('k') }], [{ name: 'm', expression: { kind: 'call', name: 'max', args: [a('at')] } }])
  expect(verdict(watermark(maxTime, 'm', '1 second'), 'update')).toBe('ok')
})

test('two event times in one operator (A17)', () => {
  const twice = project(marked, [a('at'), { kind: 'alias', input: a('at'), name: 'again' }])
  expect(() => checkStreaming(by(twice, a('at'), a('again')), 'append')).toThrow(/More than one event time columns are available/)
})

test('distinct aggregates, batches and unknown modes are refused', () => {
  const counted = groupBy(
    stream(),
    [{ expression: a('k') }],
    [{ name: 'd', expression: { kind: 'call', name: 'count', args: [a('n')], distinct: true } }],
  )
  expect(verdict(counted, 'update')).toBe(refused)
  expect(verdict(table, 'append')).toBe('WRITE_STREAM_NOT_ALLOWED')
  expect(verdict(stream(), 'apend' as OutputMode)).toBe('STREAMING_OUTPUT_MODE.INVALID')
})
