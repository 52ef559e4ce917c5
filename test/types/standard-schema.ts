import type { Temporal } from 'temporal-polyfill'
import { z } from 'zod'
import type { InferRow } from '../../src/api/frame-types.ts'
import type { ColumnsOf, StandardSchema } from '../../src/api/standard-schema.ts'
import { t } from '../../src/api/types.ts'
import { engine, is } from './queries.ts'

const zodClick = z.object({
  id: z.int(),
  big: z.bigint(),
  price: z.number().nullable(),
  name: z.string().min(1),
  mail: z.email().optional(),
  kind: z.enum(['view', 'click']),
  at: z.iso.datetime(),
  day: z.iso.date().nullish(),
  seen: z.date(),
  ok: z.boolean().default(false),
  tags: z.array(z.string().nullable()),
  props: z.record(z.string(), z.number()),
  geo: z.object({ lat: z.number(), lon: z.number().optional() }).readonly(),
  deep: z.array(z.object({ m: z.record(z.string(), z.array(z.int())) })),
})
const clicks = engine.readStream.schema(zodClick).json('in')
is<
  InferRow<typeof clicks>,
  {
    id: bigint
    big: bigint
    price: number | null
    name: string
    mail: string | null
    kind: string
    at: Temporal.Instant
    day: Temporal.PlainDate | null
    seen: Temporal.Instant
    ok: boolean | null
    tags: (string | null)[]
    props: Map<string, number>
    geo: { lat: number; lon: number | null }
    deep: { m: Map<string, bigint[]> }[]
  }
>(true)
clicks.withWatermark('at', '1 minute').select(({ price, geo }) => ({ p: price.mul(2), lat: geo.lat }))
// @ts-expect-error a string is no event time
clicks.withWatermark('name', '1 minute')
// @ts-expect-error no such column
clicks.select('nome')

const batch = engine.createDataFrame([{ id: 1, name: null }], z.object({ id: z.int(), name: z.string().nullable() }))
is<InferRow<typeof batch>, { id: bigint; name: string | null }>(true)
// @ts-expect-error id is a number
engine.createDataFrame([{ id: 'x' }], z.object({ id: z.int() }))

// any other library: by the TypeScript type of its input alone
interface Other {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: 'other'
    readonly types?: { readonly input: { a: number; b?: string; c: Date | null; d: { e: bigint[] } }; readonly output: unknown }
  }
}
declare const other: Other & StandardSchema
const rows = engine.read.schema(other).json('in')
is<InferRow<typeof rows>, { a: number; b: string | null; c: Temporal.Instant | null; d: { e: bigint[] } }>(true)
is<ColumnsOf<Other>['a'], 'double'>(true)

// Spark's JSON and DDL say nothing to the compiler
engine.readStream.schema({ type: 'struct', fields: [] }).json('in')
// columns called type and fields are columns
const named = engine.readStream.schema({ type: t.string(), fields: t.int() }).json('in')
is<InferRow<typeof named>, { type: string; fields: number }>(true)
