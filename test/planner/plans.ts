/** Plans that the planner's tests share, made as the API makes them. */
import { Schema } from '../../src/data/schema.ts'
import { type DataType, decimal } from '../../src/data/types.ts'
import * as plan from '../../src/plan/analyze.ts'
import type { LiteralValue, UnresolvedExpression } from '../../src/plan/expression.ts'
import type { LogicalPlan } from '../../src/plan/logical-plan.ts'

export const col = (name: string): UnresolvedExpression => ({ kind: 'attribute', name })
export const lit = (
  value: LiteralValue,
  type: DataType = typeof value === 'string' ? 'string' : typeof value === 'boolean' ? 'boolean' : 'int',
): UnresolvedExpression => ({ kind: 'literal', value, type })
export const call = (name: string, ...args: UnresolvedExpression[]): UnresolvedExpression => ({ kind: 'call', name, args })
export const as = (input: UnresolvedExpression, name: string): UnresolvedExpression => ({ kind: 'alias', input, name })
export const eq = (a: UnresolvedExpression, b: UnresolvedExpression) => call('==', a, b)
export const item = (name: string, expression: UnresolvedExpression) => ({ name, expression })
export const window = (time: string, ...texts: string[]) => call('window', col(time), ...texts.map((text) => lit(text)))
const field = (name: string, type: DataType, nullable = true) => ({ name, type, nullable })

export const eventSchema = new Schema([
  field('user_id', 'string'),
  field('page_id', 'string'),
  field('ad_id', 'string'),
  field('ad_type', 'string'),
  field('event_type', 'string'),
  field('event_time', 'timestamp'),
  field('ip_address', 'string'),
])
export const events = (token = 'events') => plan.streamScan({ format: 'json', options: { path: 'in' }, token, schema: eventSchema })
export const ads = () =>
  plan.batchScan({
    format: 'parquet',
    options: {},
    paths: ['ads.parquet'],
    schema: new Schema([field('ad_id', 'string'), field('campaign_id', 'string')]),
  })

/** The Yahoo streaming benchmark. */
export function ysb(): LogicalPlan {
  const views = plan.project(plan.filter(events(), eq(col('event_type'), lit('view'))), [col('ad_id'), col('event_time')])
  const joined = plan.join(plan.watermark(views, 'event_time', '10 seconds'), ads(), { using: ['ad_id'] })
  return plan.groupBy(
    joined,
    [item('window', window('event_time', '10 seconds')), item('campaign_id', col('campaign_id'))],
    [item('views', call('count'))],
  )
}

export const flightSchema = new Schema([
  field('time', 'timestamp'),
  field('origin', 'string', false),
  field('delay', 'int'),
  field('distance', 'long'),
  field('price', decimal(10, 2)),
  field('fuel', 'double'),
  field('late', 'boolean'),
])
export const flights = (token = 'flights') =>
  plan.streamScan({ format: 'parquet', options: { path: 'flights' }, token, schema: flightSchema })

/** Every aggregate, over a nullable and a not nullable argument. */
export const allAggregates = [
  item('rows', call('count')),
  item('delays', call('count', col('delay'))),
  item('both', call('count', col('delay'), col('fuel'))),
  item('distance', call('sum', col('distance'))),
  item('delay', call('sum', col('delay'))),
  item('price', call('sum', col('price'))),
  item('fuel', call('sum', col('fuel'))),
  item('mean delay', call('avg', col('delay'))),
  item('mean price', call('avg', col('price'))),
  item('least', call('min', col('price'))),
  item('most', call('max', col('time'))),
  item('first origin', call('max', col('origin'))),
  item('late', call('count_if', col('late'))),
  item('all late', call('bool_and', col('late'))),
  item('any late', call('bool_or', col('late'))),
  item('deviation', call('stddev', col('fuel'))),
  item('population', call('stddev_pop', col('delay'))),
  item('variance', call('variance', col('fuel'))),
  item('var_pop', call('var_pop', col('delay'))),
  item('ratio', call('/', call('sum', col('delay')), call('count'))),
  item('twice', call('*', call('avg', col('delay')), lit(2))),
]
