import { col, type Engine, millrace, t } from 'millrace'
import { from_avro, from_protobuf, SchemaRegistry, to_avro, to_protobuf } from 'millrace/kafka'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Decimal } from '../../src/data/decimal.ts'
import { startRegistry } from './registry.ts'
import { describeKafka, uniqueName } from './shared-broker.ts'

let engine: Engine
beforeAll(async () => {
  engine = await millrace.local({ threads: 1, print: () => {} })
})
afterAll(() => engine?.close())

const avro = JSON.stringify({
  type: 'record',
  name: 'Click',
  fields: [
    { name: 'id', type: 'long' },
    { name: 'page', type: ['null', 'string'], default: null },
    { name: 'kind', type: { type: 'enum', name: 'Kind', symbols: ['VIEW', 'BUY'] } },
    { name: 'at', type: { type: 'long', logicalType: 'timestamp-micros' } },
    { name: 'day', type: { type: 'int', logicalType: 'date' } },
    { name: 'price', type: { type: 'bytes', logicalType: 'decimal', precision: 10, scale: 2 } },
    { name: 'tags', type: { type: 'array', items: 'string' } },
    { name: 'counts', type: { type: 'map', values: 'int' } },
    { name: 'raw', type: 'bytes' },
    { name: 'nested', type: ['null', { type: 'record', name: 'Nested', fields: [{ name: 'x', type: 'double' }] }], default: null },
  ],
})
const proto = `
  syntax = "proto3";
  message Click {
    int64 id = 1;
    optional string page = 2;
    Kind kind = 3;
    repeated string tags = 4;
    map<string, int32> counts = 5;
    bytes raw = 6;
    Nested nested = 7;
    uint64 big = 8;
    enum Kind { VIEW = 0; BUY = 1; }
    message Nested { double x = 1; }
  }`
const clicks = () =>
  engine.createDataFrame(
    [
      {
        id: 2n ** 60n + 1n,
        page: 'a',
        kind: 'BUY',
        at: new Date('2024-01-02T03:04:05.678Z'),
        day: '2024-02-29',
        price: Decimal.from('-12.34'),
        tags: ['x', 'é'],
        counts: new Map([['k', 7]]),
        raw: new Uint8Array([0, 255]),
        nested: { x: 1.5 },
        big: Decimal.from('18446744073709551615'),
      },
      {
        id: -1n,
        page: null,
        kind: 'VIEW',
        at: new Date(0),
        day: '1969-12-31',
        price: Decimal.from('0.00'),
        tags: [],
        counts: new Map(),
        raw: new Uint8Array(),
        nested: null,
        big: Decimal.from('0'),
      },
    ] as never,
    'id BIGINT, page STRING, kind STRING, at TIMESTAMP, day DATE, price DECIMAL(10,2), tags ARRAY<STRING>, counts MAP<STRING, INT>, raw BINARY, nested STRUCT<x: DOUBLE>, big DECIMAL(20,0)',
  ) as any
const avroFields = ['id', 'page', 'kind', 'at', 'day', 'price', 'tags', 'counts', 'raw', 'nested']
const protoFields = ['id', 'page', 'kind', 'tags', 'counts', 'raw', 'nested', 'big']
const struct = (names: readonly string[]) => `struct(${names.join(', ')})`

describe('without a registry', () => {
  test('Avro goes there and back', async () => {
    const there = clicks()
      .selectExpr(`${struct(avroFields)} AS click`)
      .select((c: any) => ({ bytes: to_avro(c.click, avro) }))
    const back = there.select((c: any) => ({ click: from_avro(c.bytes, avro) })).selectExpr(...avroFields.map((name) => `click.${name}`))
    expect(plain(await back.collect())).toEqual(
      plain(
        await clicks()
          .select(...avroFields)
          .collect(),
      ),
    )
  })
  test('Protobuf goes there and back', async () => {
    const there = clicks()
      .selectExpr(`${struct(protoFields)} AS click`)
      .select((c: any) => ({ bytes: to_protobuf(c.click, 'Click', proto) }))
    const back = there
      .select((c: any) => ({ click: from_protobuf(c.bytes, 'Click', proto) }))
      .selectExpr(...protoFields.map((name) => `click.${name}`))
    expect(plain(await back.collect())).toEqual(
      plain(
        await clicks()
          .select(...protoFields)
          .collect(),
      ),
    )
  })
  const thereAndBack = async (sql: string, to: (c: any) => any, from: (c: any) => any) => {
    const there = (engine.range(1) as any).selectExpr(`${sql} AS c`).select((r: any) => ({ b: to(r.c) }))
    const [row] = await there.select((r: any) => ({ v: from(r.b) })).collect()
    return plain((row as any).v)
  }
  test('Avro: unions of numbers, and times with and without a zone, before 1970 too', async () => {
    const field = (name: string, type: unknown) => ({ name, type })
    const long = (logicalType: string) => ({ type: 'long', logicalType })
    const schema = JSON.stringify({
      type: 'record',
      name: 'N',
      fields: [
        field('f', ['float', 'double']),
        field('g', ['null', 'double', 'float']),
        field('i', ['null', 'int', 'long']),
        field('at', long('timestamp-millis')),
        field('wall', long('local-timestamp-micros')),
        field('rough', long('local-timestamp-millis')),
      ],
    })
    const sql =
      "named_struct('f', 1.5d, 'g', cast(null as double), 'i', 5000000000, 'at', timestamp '1969-12-31 23:59:59.9985', 'wall', timestamp_ntz '1969-12-31 23:59:59.999999', 'rough', timestamp_ntz '2026-01-31 10:00:00.0019')"
    const back = await thereAndBack(
      sql,
      (c) => to_avro(c, schema),
      (c) => from_avro(c, schema),
    )
    expect(back).toEqual({
      ...{ f: 1.5, g: null, i: '5000000000', at: '1969-12-31T23:59:59.998Z' },
      ...{ wall: '1969-12-31T23:59:59.999999', rough: '2026-01-31T10:00:00.001' },
    })
  })
  test('Protobuf: keys of maps, the types that come with it, and what an unsigned number or a list can’t hold', async () => {
    const proto = `syntax = "proto3"; import "google/protobuf/timestamp.proto";
      message M { map<int64, int32> a = 1; map<int32, string> b = 2; map<bool, int32> c = 3; map<uint64, int32> d = 4; map<uint32, int32> e = 5;
        google.protobuf.Timestamp at = 6; uint32 u = 7; uint64 w = 8; repeated string s = 9; }`
    const struct = (changes: Record<string, string> = {}) =>
      `named_struct(${Object.entries({
        a: 'map(-5L, 1, 9007199254740993, 2)',
        b: "map(-3, 'x')",
        c: 'map(true, 1, false, 0)',
        d: "map(cast('18446744073709551615' as decimal(20, 0)), 1)",
        e: 'map(4294967295, 1)',
        at: "timestamp '2026-01-31 10:00:00.5'",
        u: '4294967295',
        w: "cast('18446744073709551615' as decimal(20, 0))",
        s: "array('x')",
        ...changes,
      })
        .map(([name, sql]) => `'${name}', ${sql}`)
        .join(', ')})`
    const run = (changes?: Record<string, string>) =>
      thereAndBack(
        struct(changes),
        (c) => to_protobuf(c, 'M', proto),
        (c) => from_protobuf(c, 'M', proto),
      )
    const pairs = (map: unknown) => (map as unknown[][]).map(String).sort()
    const { a, b, c, d, e, ...others } = (await run()) as Record<string, unknown>
    expect([a, b, c, d, e].map(pairs)).toEqual([
      ['-5,1', '9007199254740993,2'],
      ['-3,x'],
      ['false,0', 'true,1'],
      [expect.stringMatching(/18446744073709551615.*,1$/)],
      ['4294967295,1'],
    ])
    expect(others).toMatchObject({ at: '2026-01-31T10:00:00.5Z', u: '4294967295', s: ['x'] })
    const code = { cause: { code: 'MALFORMED_PROTOBUF_MESSAGE' } }
    for (const changes of [{ u: '-1L' }, { u: '4294967296' }, { w: 'cast(-1 as decimal(20, 0))' }, { s: 'array(cast(null as string))' }])
      await expect(run(changes)).rejects.toMatchObject(code)
  })
  test('bytes that are none are an error, or null where that is asked for', async () => {
    const frame = engine.createDataFrame([{ b: new Uint8Array([1]) }, { b: null }], { b: t.binary().nullable() }) as any
    const read = (of: any) => frame.select((c: any) => ({ v: of(c.b) })).collect()
    await expect(read((b: any) => from_avro(b, avro))).rejects.toMatchObject({ cause: { code: 'MALFORMED_AVRO_MESSAGE' } })
    expect(await read((b: any) => from_avro(b, avro, { mode: 'PERMISSIVE' }))).toEqual([{ v: null }, { v: null }])
    await expect(read((b: any) => from_protobuf(b, 'Click', proto))).rejects.toMatchObject({
      cause: { code: 'MALFORMED_PROTOBUF_MESSAGE' },
    })
  })
  test('what the functions are given is checked when the query is written', () => {
    const frame = engine.createDataFrame([{ s: 'x' }], { s: t.string() }) as any
    const write = (of: (s: any) => unknown) => () => frame.select((c: any) => ({ v: of(c.s) }))
    const binary = 'DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE'
    expect(write((s) => from_avro(s, avro))).toThrow(binary)
    expect(write((s) => from_protobuf(s, 'Click', proto))).toThrow(binary)
    expect(write((s) => from_avro(s, avro, { mode: 'DROPMALFORMED' as never }))).toThrow('PARSE_MODE_UNSUPPORTED')
    expect(write((s) => from_avro(s, avro, { mod: 'PERMISSIVE' } as never))).toThrow('UNKNOWN_OPTION')
    expect(write((s) => to_avro(s, undefined as never))).toThrow('INVALID_AVRO_SCHEMA')
    for (const url of ['localhost:8081', undefined]) expect(() => new SchemaRegistry({ url: url as never })).toThrow('INVALID_OPTION_VALUE')
  })
  test('schemas that have no type are refused by name', () => {
    const code = (work: () => unknown) => {
      try {
        work()
      } catch (error) {
        return (error as { code: string }).code
      }
      return 'fine'
    }
    expect(code(() => from_avro(col('v'), '{"type":"recrod"}'))).toBe('INVALID_AVRO_SCHEMA')
    expect(code(() => from_avro(col('v'), '["null","string","int"]'))).toBe('UNSUPPORTED_AVRO_TYPE')
    expect(code(() => from_protobuf(col('v'), 'Nope', proto))).toBe('PROTOBUF_MESSAGE_NOT_FOUND')
    expect(code(() => from_protobuf(col('v'), 'R', 'syntax="proto3"; message R { R r = 1; }'))).toBe('RECURSIVE_PROTOBUF_SCHEMA')
  })
})

describeKafka('with a registry', () => {
  let running: Awaited<ReturnType<typeof startRegistry>>
  let registry: SchemaRegistry
  beforeAll(async () => {
    running = await startRegistry()
    registry = new SchemaRegistry({ url: running.url })
  }, 150_000)
  afterAll(() => running?.stop())

  const jsonSchema = JSON.stringify({
    type: 'object',
    properties: { id: { type: 'integer' }, page: { type: ['string', 'null'] }, tags: { type: 'array', items: { type: 'string' } } },
    required: ['id'],
  })
  test.each([
    ['AVRO', avro, avroFields],
    ['PROTOBUF', proto, protoFields],
    ['JSON', jsonSchema, ['id', 'page', 'tags']],
  ] as const)('%s messages in the wire format', async (kind, schema, fields) => {
    const name = uniqueName(`clicks-${kind}`)
    await registry.register(name, kind, schema)
    const subject = await registry.subject(name)
    const rows = kind === 'JSON' ? clicks().where('id < 0') : clicks()
    const there = rows.selectExpr(`${struct(fields)} AS click`).select((c: any) => ({ bytes: subject.to(c.click) }))
    const [first] = await there.collect()
    expect([...first.bytes.subarray(0, 5)]).toEqual([0, ...int32(subject.schemaId)])
    const back = there.select((c: any) => ({ click: subject.from(c.bytes) })).selectExpr(...fields.map((field) => `click.${field}`))
    expect(plain(await back.collect())).toEqual(plain(await rows.select(...fields).collect()))
  })

  const version = (fields: object[]) => JSON.stringify({ type: 'record', name: 'V', fields })
  test('messages of an older version are read as the newest; what cannot be is named', async () => {
    const name = uniqueName('versions')
    const old = await registry.register(name, 'AVRO', version([{ name: 'a', type: 'int' }]))
    const [{ bytes }] = await (engine.createDataFrame([{ a: 5 }], { a: t.int() }) as any)
      .selectExpr('struct(a) AS v')
      .select((c: any) => ({ bytes: old.to(c.v) }))
      .collect()
    const read = (subject: any) =>
      (engine.createDataFrame([{ bytes }], { bytes: t.binary() }) as any).select((c: any) => ({ v: subject.from(c.bytes) })).collect()
    const newer = await registry.register(
      name,
      'AVRO',
      version([
        { name: 'a', type: 'long' },
        { name: 'b', type: 'string', default: 'none' },
      ]),
    )
    expect(plain(await read(newer))).toEqual([{ v: { a: '5', b: 'none' } }])
    const other = await registry.register(
      uniqueName('other'),
      'AVRO',
      version([
        { name: 'a', type: 'int' },
        { name: 'c', type: 'string' },
      ]),
    )
    await expect(read(other)).rejects.toMatchObject({
      cause: { code: 'AVRO_INCOMPATIBLE_READ_SCHEMA', message: expect.stringContaining('c') },
    })
  })
  test('what is not there is named', async () => {
    await expect(registry.subject('nobody')).rejects.toMatchObject({ code: 'SCHEMA_REGISTRY_SUBJECT_NOT_FOUND' })
    await expect(new SchemaRegistry({ url: 'http://127.0.0.1:1' }).subject('x')).rejects.toMatchObject({
      code: 'SCHEMA_REGISTRY_UNAVAILABLE',
    })
    await expect(registry.register(uniqueName('s'), 'avro' as never, avro)).rejects.toMatchObject({ code: 'INVALID_OPTION_VALUE' })
    const subject = await registry.register(uniqueName('s'), 'AVRO', version([{ name: 'a', type: 'int' }]))
    const frame = engine.createDataFrame([{ b: Buffer.from('plain') }], { b: t.binary() }) as any
    await expect(frame.select((c: any) => ({ v: subject.from(c.b) })).collect()).rejects.toMatchObject({
      cause: { code: 'MALFORMED_REGISTRY_MESSAGE' },
    })
  })
})

const int32 = (value: number) => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255]
/** Values as plain JSON, so that Buffers and maps compare. */
function plain(rows: unknown): unknown {
  return JSON.parse(
    JSON.stringify(rows, (_key, value: unknown) => {
      if (value instanceof Map) return [...value]
      return typeof value === 'bigint' ? String(value) : value
    }),
  )
}
