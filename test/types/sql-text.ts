import type { InferRow } from '../../src/api/frame-types.ts'
import { col, expr } from '../../src/api/functions.ts'
import { clicks, is } from './queries.ts'

// --- expr: the alias is known, the type is not
const priced = clicks.select('ad_id', expr('CAST(price AS long) AS cents'))
is<keyof InferRow<typeof priced>, 'ad_id' | 'cents'>(true)
const lower = clicks.select('ad_id', expr('price * 2 as twice '))
is<keyof InferRow<typeof lower>, 'ad_id' | 'twice'>(true)
// an expression without an alias can be named later, or stand where a column may
clicks.select('ad_id', expr('price * 2').as('twice'))
const added = clicks.withColumn('big', expr('price > 100'))
is<keyof InferRow<typeof added> & 'big', 'big'>(true)
clicks.where(({ price }) => price.gt(expr('avg_price')).and(col('x')))

// --- where and filter take text and keep the columns
const filtered = clicks.where("price > 1 AND event_type = 'view'").filter('price IS NOT NULL')
is<typeof filtered, typeof clicks>(true)
// @ts-expect-error a number is no condition
clicks.where(1)

// --- selectExpr is untyped, and keeps what the query is
const selected = clicks.selectExpr('ad_id', 'price * 2 AS twice')
is<InferRow<typeof selected>, { [x: string]: any }>(true)
selected.writeStream.outputMode('append').start('out')
