import type { InferRow } from '../../src/api/frame-types.ts'
import { col, explode, explode_outer, inline, json_tuple, posexplode, stack } from '../../src/api/functions.ts'
import { t } from '../../src/api/types.ts'
import { engine, is } from './queries.ts'

const orders = engine.readStream
  .schema({
    id: t.long(),
    tags: t.array(t.string()),
    props: t.map(t.string(), t.int()),
    items: t.array(t.struct({ sku: t.string(), n: t.int() })),
    body: t.string().nullable(),
  })
  .json('in')

const tagged = orders.select((c) => ({ id: c.id, tag: explode(c.tags) }))
is<InferRow<typeof tagged>, { id: bigint; tag: string }>(true)
const outer = orders.withColumn('tag', ({ tags }) => explode_outer(tags))
is<InferRow<typeof outer>['tag'], string | null>(true)
const numbered = orders.select('id', posexplode(col('tags')).as('i', 'tag'))
is<InferRow<typeof numbered>, { id: bigint; i: any; tag: any }>(true)
const members = orders.select(json_tuple(col('body'), 'a', 'b').as('a', 'b'))
is<keyof InferRow<typeof members>, 'a' | 'b'>(true)
const stacked = orders.select('id', stack(2, 1, 2).as('n'))
is<keyof InferRow<typeof stacked>, 'id' | 'n'>(true)
// a column under its type: the generated ones are typed too
orders.where(({ id, tags, props, items }) => {
  const pairs = orders.select(explode(props))
  is<InferRow<typeof pairs>, { key: string; value: number }>(true)
  const named = orders.select('id', explode(props).as('k', 'v'))
  is<InferRow<typeof named>, { id: bigint; k: string; v: number }>(true)
  const lines = orders.select('id', inline(items))
  is<InferRow<typeof lines>, { id: bigint; sku: string; n: number }>(true)
  const plain = orders.select('id', explode(tags))
  is<InferRow<typeof plain>, { id: bigint; col: string }>(true)
  // @ts-expect-error a map gives two columns
  explode(props).as('k')
  return id.gt(1)
})
// @ts-expect-error unknown column
orders.select('idd', explode(col('tags')))
// @ts-expect-error what a generator gives has no methods: compute with it in the next step
orders.where(({ tags }) => explode(tags).eq('x'))
// @ts-expect-error text has no elements
orders.select(({ body }) => ({ x: explode(body) }))
