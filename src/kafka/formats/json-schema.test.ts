import { expect, test } from 'vitest'
import { jsonSchemaCodec } from './json-schema.ts'

const codec = jsonSchemaCodec(
  JSON.stringify({
    type: 'object',
    properties: {
      id: { type: 'integer' },
      page: { type: 'string' },
      note: { type: ['string', 'null'] },
      price: { type: 'number' },
      counts: { type: 'object', additionalProperties: { type: 'integer' } },
      tags: { type: 'array', items: { type: 'string' } },
    },
    required: ['id'],
  }),
)
const text = (value: unknown) => codec.encode(value).toString()
const value = (json: string) => codec.decode(Buffer.from(json)) as Record<string, unknown>
const code = 'MALFORMED_JSON_MESSAGE'

test('whole numbers keep their digits in both directions', () => {
  const id = 2n ** 63n - 1n
  expect(text({ id })).toBe('{"id":9223372036854775807}')
  expect(value('{"id":9223372036854775807,"price":9223372036854775807}')).toMatchObject({ id, price: Number(id) })
  expect(value('{"id":1.0}')['id']).toBe(1n)
  for (const wrong of ['9223372036854775808', '1.5', '1e400', '"1"']) expect(() => value(`{"id":${wrong}}`)).toThrow(code)
})
test('maps and what is inside of arrays are written', () => {
  const full = { id: 1n, page: 'a', note: null, price: 1.5, counts: new Map([['x', 2n ** 60n]]), tags: ['é'] }
  expect(text(full)).toBe('{"id":1,"page":"a","note":null,"price":1.5,"counts":{"x":1152921504606846976},"tags":["é"]}')
  expect(value(text(full))).toEqual(full)
})
test('what is written fits the schema: a null is left out where the type has none, or refused where it is needed', () => {
  expect(text({ id: 1n, page: null, note: null })).toBe('{"id":1,"note":null}')
  expect(() => text({ id: null })).toThrow('$.id is null, and the schema requires it')
  expect(() => text({ id: 1n, tags: [null] })).toThrow('$.tags[] is null')
  expect(() => text({ id: 1n, price: Number.NaN })).toThrow(code)
  expect(() => value('{"id":null}')).toThrow('$ has no id')
  expect(value('{"id":1,"page":null}')).toMatchObject({ page: null })
})
