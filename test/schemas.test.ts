// A schema may be written with t, as DDL, as Spark's JSON, or come from a Standard Schema library; all of them mean the same columns.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Schema, t } from 'millrace'
import { Temporal } from 'temporal-polyfill'
import { afterAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type SchemaInput, schemaOf } from '../src/api/types.ts'
import { schemaDdl } from '../src/plan/schema-text.ts'
import { useEngine } from './cases/harness.ts'

const engine = useEngine()
const folder = mkdtempSync(join(tmpdir(), 'millrace-schemas-'))
afterAll(() => rmSync(folder, { recursive: true }))
const ddl = (schema: unknown) => schemaDdl(schemaOf(schema as SchemaInput<unknown>))

const text =
  'id BIGINT NOT NULL,price DECIMAL(38,18),tags ARRAY<STRING>,props MAP<STRING, DOUBLE>,geo STRUCT<lat: DOUBLE NOT NULL, at: TIMESTAMP>,day DATE,local TIMESTAMP_NTZ,raw BINARY,b TINYINT,s SMALLINT,f FLOAT,ok BOOLEAN'
// what PySpark 4.2.0 prints for df.schema.json() of a part of it
const sparkJson =
  '{"type":"struct","fields":[{"name":"id","type":"long","nullable":false,"metadata":{}},{"name":"price","type":"decimal(38,18)","nullable":true,"metadata":{}},{"name":"tags","type":{"type":"array","elementType":"string","containsNull":true},"nullable":true,"metadata":{}},{"name":"props","type":{"type":"map","keyType":"string","valueType":"double","valueContainsNull":true},"nullable":true,"metadata":{}},{"name":"n","type":"integer","nullable":true,"metadata":{}}]}'

describe('Spark’s JSON', () => {
  test('a schema and its JSON are the same, as text and as an object', () => {
    const schema = schemaOf(text)
    expect(ddl(schema.json())).toBe(text)
    expect(ddl(schema.jsonValue())).toBe(text)
    expect(schemaOf(sparkJson).json()).toBe(sparkJson)
  })
  test('a frame gives its own', () => {
    const frame = engine().createDataFrame([], 'a int, b array<bigint>')
    expect(frame.schema.json()).toBe(
      '{"type":"struct","fields":[{"name":"a","type":"integer","nullable":true,"metadata":{}},{"name":"b","type":{"type":"array","elementType":"long","containsNull":true},"nullable":true,"metadata":{}}]}',
    )
  })
  test.each([
    ['{"type":"struct"', 'INVALID_JSON_SCHEMA'],
    ['{"type":"struct","fields":[{"name":"a","type":"nonsense"}]}', 'INVALID_JSON_SCHEMA'],
    ['{"type":"array","elementType":"string"}', 'INVALID_JSON_SCHEMA'],
  ])('%s is refused', (json, code) => {
    expect(() => schemaOf(json)).toThrow(expect.objectContaining({ code }))
  })
  test('columns called type and fields are columns', () => {
    expect(ddl({ type: t.string(), fields: t.int() })).toBe('type STRING NOT NULL,fields INT NOT NULL')
  })
})

describe('zod', () => {
  test.each<[string, z.ZodType, string]>([
    ['string', z.string(), 'STRING NOT NULL'],
    ['email', z.email(), 'STRING NOT NULL'],
    ['int', z.int(), 'BIGINT NOT NULL'],
    ['int32', z.int32(), 'BIGINT NOT NULL'],
    ['number', z.number(), 'DOUBLE NOT NULL'],
    ['number().int()', z.number().int(), 'DOUBLE NOT NULL'],
    ['bigint', z.bigint(), 'BIGINT NOT NULL'],
    ['boolean', z.boolean(), 'BOOLEAN NOT NULL'],
    ['date', z.date(), 'TIMESTAMP NOT NULL'],
    ['iso.datetime', z.iso.datetime(), 'TIMESTAMP NOT NULL'],
    ['iso.date', z.iso.date(), 'DATE NOT NULL'],
    ['nullable', z.string().nullable(), 'STRING'],
    ['optional', z.int().optional(), 'BIGINT'],
    ['nullish date', z.date().nullish(), 'TIMESTAMP'],
    ['default', z.number().default(1), 'DOUBLE'],
    ['enum', z.enum(['a', 'b']), 'STRING NOT NULL'],
    ['literal', z.literal('a'), 'STRING NOT NULL'],
    ['a literal or null', z.literal(['a', null]), 'STRING'],
    ['array', z.array(z.string()), 'ARRAY<STRING> NOT NULL'],
    ['record', z.record(z.string(), z.bigint()), 'MAP<STRING, BIGINT> NOT NULL'],
    ['object', z.object({ a: z.int(), b: z.string().optional() }), 'STRUCT<a: BIGINT NOT NULL, b: STRING> NOT NULL'],
    ['strict object', z.strictObject({ a: z.boolean() }), 'STRUCT<a: BOOLEAN NOT NULL> NOT NULL'],
    [
      'three deep',
      z.array(z.object({ m: z.record(z.string(), z.array(z.date().nullable())) })),
      'ARRAY<STRUCT<m: MAP<STRING, ARRAY<TIMESTAMP>> NOT NULL>> NOT NULL',
    ],
    ['readonly', z.string().readonly(), 'STRING NOT NULL'],
    ['what a transformation is given', z.string().transform(Number), 'STRING NOT NULL'],
    ['a union of one type and null', z.union([z.string(), z.null()]), 'STRING'],
  ])('%s', (_name, type, expected) => {
    expect(ddl(z.object({ c: type }))).toBe(`c ${expected}`)
  })
  test.each<[string, z.ZodType, RegExp]>([
    ['a union', z.union([z.string(), z.number()]), /the field c can't become a column: several types/],
    ['a tuple', z.tuple([z.string(), z.int()]), /the field c can't become a column: a tuple/],
    ['unknown', z.unknown(), /the field c can't .*which type/],
    ['any, deep inside', z.object({ d: z.array(z.object({ e: z.any() })) }), /the field c\.d\[\]\.e can't/],
    ['a record of anything', z.record(z.string(), z.any()), /the field c can't .*no property/],
    ['a Map', z.map(z.string(), z.int()), /the field c can't/],
    ['a Set', z.set(z.string()), /the field c can't/],
    ['float32', z.float32(), /write z\.number\(\)/],
    ['null alone', z.null(), /the field c can't/],
    ['an object with others', z.object({ a: z.int() }).catchall(z.string()), /any others besides/],
  ])('%s is refused by name', (_name, type, message) => {
    expect(() => schemaOf(z.object({ c: type }))).toThrow(
      expect.objectContaining({ code: 'INVALID_SCHEMA', message: expect.stringMatching(message) }),
    )
  })
  test('a schema that refers to itself is refused', () => {
    const node = z.object({
      get next() {
        return node.nullable()
      },
    })
    expect(() => schemaOf(z.object({ node }))).toThrow(expect.objectContaining({ code: 'INVALID_SCHEMA' }))
  })
  test('what is no object is refused', () => {
    expect(() => schemaOf(z.string() as never)).toThrow(/the schema of a row is an object/)
  })

  test('rows are read by it', async () => {
    const path = join(folder, 'rows.json')
    writeFileSync(
      path,
      '{"id":9007199254740993,"at":"1969-12-31T23:59:59.999999Z","tags":["a",null],"geo":{"lat":1.5}}\n{"id":2,"at":null,"tags":[],"geo":{"lat":-0.5,"lon":2}}\n',
    )
    const schema = z.object({
      id: z.bigint(),
      at: z.iso.datetime().nullable(),
      tags: z.array(z.string().nullable()),
      geo: z.object({ lat: z.number(), lon: z.number().optional() }),
    })
    const [first, second] = await engine()
      .read.schema(schema)
      .json(path)
      .orderBy(({ id }) => id.desc())
      .collect()
    expect(first).toEqual({
      id: 9007199254740993n,
      at: Temporal.Instant.from('1969-12-31T23:59:59.999999Z'),
      tags: ['a', null],
      geo: { lat: 1.5, lon: null },
    })
    expect(second!.tags).toEqual([])
  })
})

describe('other libraries', () => {
  const library = (json: unknown) => ({
    '~standard': { version: 1, vendor: 'other', jsonSchema: { input: () => json, output: () => ({}) } },
  })
  test('what JSON Schema says', () => {
    const json = {
      type: 'object',
      properties: {
        a: { type: 'integer' },
        b: { type: ['string', 'null'], format: 'date-time' },
        c: { anyOf: [{ type: 'array', items: { enum: ['x', 'y'] } }, { type: 'null' }] },
        d: { const: true },
      },
      required: ['a', 'b', 'c'],
    }
    expect(ddl(library(json))).toBe('a DOUBLE NOT NULL,b STRING,c ARRAY<STRING>,d BOOLEAN')
  })
  test('one without JSON Schema is refused', () => {
    const bare = { '~standard': { version: 1, vendor: 'bare', validate: () => ({ value: 1 }) } }
    expect(() => schemaOf(bare as never)).toThrow(/of bare, which does not say itself as JSON Schema/)
  })
  test('one that fails is refused', () => {
    const failing = {
      '~standard': {
        version: 1,
        vendor: 'sad',
        jsonSchema: {
          input: () => {
            throw new Error('no form for it')
          },
        },
      },
    }
    expect(() => schemaOf(failing as never)).toThrow(/sad can't say the schema as JSON Schema: no form for it/)
  })
})

test('a Schema is its own', () => {
  const schema = new Schema([{ name: 'a', type: 'int', nullable: true }])
  expect(schemaOf(schema)).toBe(schema)
})
