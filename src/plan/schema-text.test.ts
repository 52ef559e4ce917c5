import { expect, test } from 'vitest'
import { typeText } from '../data/types.ts'
import { parseDdl, parseType, quoteName, schemaDdl, schemaFromJson, schemaToJson } from './schema-text.ts'

const text =
  "id BIGINT NOT NULL, at: timestamp, `a b` string COMMENT 'x', price decimal(10,2), tags array<string>, m map<string,array<int>>, s struct<x: int, y:double>, e decimal, w timestamp_ntz"

test('DDL is read and written', () => {
  const schema = parseDdl(text)
  expect(schema.fields.map((f) => `${f.name}:${typeText(f.type)}${f.nullable ? '' : '!'}`)).toEqual([
    'id:bigint!',
    'at:timestamp',
    'a b:string',
    'price:decimal(10,2)',
    'tags:array<string>',
    'm:map<string,array<int>>',
    's:struct<x:int,y:double>',
    'e:decimal(10,0)',
    'w:timestamp_ntz',
  ])
  expect(parseDdl(schemaDdl(schema))).toEqual(schema)
  expect(schemaDdl(schema)).toContain('id BIGINT NOT NULL,at TIMESTAMP,`a b` STRING')
})

test('JSON is written as Spark writes it, and read again', () => {
  const schema = parseDdl(text)
  expect(schemaFromJson(JSON.stringify(schemaToJson(schema)))).toEqual(schema)
  expect(schemaToJson(parseDdl('a int not null, b array<long>'))).toEqual({
    type: 'struct',
    fields: [
      { name: 'a', type: 'integer', nullable: false, metadata: {} },
      { name: 'b', type: { type: 'array', elementType: 'long', containsNull: true }, nullable: true, metadata: {} },
    ],
  })
})

test.each([
  ['id', 'PARSE_SYNTAX_ERROR'],
  ['id bigint,', 'PARSE_SYNTAX_ERROR'],
  ['id bigint at timestamp', 'PARSE_SYNTAX_ERROR'],
  ['a array<int', 'PARSE_SYNTAX_ERROR'],
  ['a int not', 'PARSE_SYNTAX_ERROR'],
  ['', 'PARSE_SYNTAX_ERROR'],
  ['id bgint', 'UNSUPPORTED_DATATYPE'],
  ['id varchar(10)', 'UNSUPPORTED_DATATYPE'],
  ['id constructor', 'UNSUPPORTED_DATATYPE'],
  ['a int, A int', 'COLUMN_ALREADY_EXISTS'],
  ['a decimal(39,0)', 'DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION'],
  ['a decimal(3,5)', 'INVALID_DECIMAL_TYPE'],
])('%j is %s', (ddl, code) => {
  expect(() => parseDdl(ddl)).toThrow(expect.objectContaining({ code }))
})

test('an unknown type is told the nearest', () => {
  expect(() => parseType('bgint')).toThrow(/did you mean bigint/)
  expect(() => parseType('varchar')).toThrow(/did you mean string/)
})

test.each(['{', '{"type":"struct"}', '"x"', '"integer"', 'null', '{"type":"struct","fields":[{"name":"a"}]}'])(
  'the JSON %s is no schema',
  (json) => {
    expect(() => schemaFromJson(json)).toThrow(expect.objectContaining({ code: 'INVALID_JSON_SCHEMA' }))
  },
)

test('names are quoted where SQL needs it', () => {
  expect([quoteName('a_1'), quoteName('a b'), quoteName('a`b'), quoteName('1a')]).toEqual(['a_1', '`a b`', '`a``b`', '`1a`'])
})
