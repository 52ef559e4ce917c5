// A poison row at every source and sink that needs a server: the stream goes on, the letter says what and where, and the books balance. (Those without: test/cases/dead-letters-everywhere.test.ts.)
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { MemoryStream, type Row, t } from 'millrace'
import { from_avro, from_protobuf, SchemaRegistry, to_avro, to_protobuf } from 'millrace/kafka'
import 'millrace/elasticsearch'
import 'millrace/mysql'
import 'millrace/postgres'
import 'millrace/redis'
import 'millrace/sqlite'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { KafkaCluster } from '../../src/kafka/cluster.ts'
import { useEngine } from '../cases/harness.ts'
import { keepingLetters, textOf } from '../cases/letters-kit.ts'
import { describeMariaDb, mariaDbClient, mariaDbUrl, sharedMariaDb } from '../databases/mariadb-server.ts'
import { describePostgres, postgresClient, postgresUrl, sharedPostgres } from '../databases/postgres-server.ts'
import { describeRedis, redisClient, startRedis } from '../databases/redis-server.ts'
import { describeSearch, startSearch } from '../databases/search-server.ts'
import { produce } from '../kafka/produce.ts'
import { readTopic } from '../kafka/read-topic.ts'
import { startRegistry } from '../kafka/registry.ts'
import { describeKafka, sharedBroker } from '../kafka/shared-broker.ts'
import { createTopic, openCluster } from '../kafka/topics.ts'
import { uniqueName } from './shared-server.ts'

const engine = useEngine({ print: () => {} })
let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-letters-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))
const run = (frame: any, sink?: (writer: any) => any) => keepingLetters(frame, join(folder, 'checkpoint'), { ...(sink && { sink }) })
const frameOf = (rows: readonly object[], schema: any) => engine().createDataFrame(rows as any, schema) as any

/** What lives as long as the tests of its block. */
function during<T>(open: () => Promise<T>, close: (given: T) => Promise<unknown>): () => T {
  let given: T | undefined
  beforeAll(async () => {
    given = await open()
  }, 180_000)
  afterAll(() => given && close(given))
  return () => given!
}

describe('sources', () => {
  test('socket', async () => {
    const server = createServer((socket) => socket.end('1\nx\n3\n'))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const letters: Row[] = []
    const rows: Row[] = []
    const query = await (engine().readStream as any)
      .format('socket')
      .option('host', '127.0.0.1')
      .option('port', (server.address() as AddressInfo).port)
      .load()
      .selectExpr('cast(value as int) as v')
      .writeStream.foreachBatch(async (some: any) => void rows.push(...(await some.collect())))
      .deadLetters((found: any) => found.output.foreachBatch(async (some: any) => void letters.push(...(await some.collect()))))
      .start()
    while (rows.length < 2 || letters.length < 1) await new Promise((resolve) => setImmediate(resolve))
    await query.stop()
    server.close()
    expect(rows).toEqual([{ v: 1 }, { v: 3 }])
    expect(letters.map(({ reason, stage, source, raw }) => [reason, stage, source, JSON.parse(textOf(raw)!).value])).toEqual([
      ['CAST_INVALID_INPUT', 'expression', '0', 'x'],
    ])
  })

  describePostgres('PostgreSQL', () => {
    jdbcOf(during(postgresPlace, (place) => place.close()))
  })
  describeMariaDb('MariaDB', () => {
    jdbcOf(during(mariaDbPlace, (place) => place.close()))
  })
  function jdbcOf(place: () => { readonly url: string; readonly execute: (sql: string) => Promise<unknown> }) {
    test('a poison row of a table that is joined', async () => {
      const { url, execute } = place()
      const table = uniqueName('names')
      await execute(`CREATE TABLE ${table} (k int, s varchar(20))`)
      await execute(`INSERT INTO ${table} VALUES (1, '10'), (2, 'x'), (3, '30')`)
      const names = (
        (await engine()
          .read.format('jdbc')
          .options({ url: `jdbc:${url}`, dbtable: table })
          .load()) as any
      ).selectExpr('k', 'cast(s as int) as n')
      const stream = new MemoryStream(engine(), { k: t.int() })
      stream.addData({ k: 1 }, { k: 2 }, { k: 3 })
      const { letters, rowsOn } = await run((stream.toDF() as any).join(names, 'k'))
      expect(letters).toMatchObject([{ reason: 'CAST_INVALID_INPUT', stage: 'expression', source: null, batch_id: 0n }])
      expect(textOf(letters[0]!['raw'])).toBe('{"k":2,"s":"x"}')
      expect(letters[0]!['message']).toContain('in a row of the table')
      expect(rowsOn).toBe(3)
    })
  }
})

async function postgresPlace() {
  const server = await sharedPostgres()
  const client = await postgresClient(server)
  return {
    format: 'postgres',
    url: postgresUrl(server),
    execute: (sql: string) => client.query(sql) as Promise<unknown>,
    rows: async (sql: string) => (await client.query(sql)).rows as object[],
    close: () => client.end(),
  }
}
async function mariaDbPlace() {
  const server = await sharedMariaDb()
  const client = await mariaDbClient(server)
  return {
    format: 'mysql',
    url: mariaDbUrl(server),
    execute: (sql: string) => client.query(sql) as Promise<unknown>,
    rows: async (sql: string) => (await client.query(sql))[0] as object[],
    close: () => client.end(),
  }
}

describeKafka('Kafka', () => {
  let cluster: KafkaCluster
  let bootstrap: string
  const opened = during(
    async () => {
      const broker = await sharedBroker()
      return { bootstrap: broker.bootstrap, cluster: await openCluster(broker.bootstrap) }
    },
    (given) => given.cluster.close(),
  )
  beforeEach(() => {
    ;({ cluster, bootstrap } = opened())
  })

  const topicOf = async (...values: (string | Uint8Array)[]) => {
    const topic = uniqueName('letters', '-')
    await createTopic(cluster, topic)
    await produce(
      cluster,
      topic,
      values.map((value) => ({ value })),
    )
    return topic
  }
  const read = (topic: string) =>
    (engine().readStream as any)
      .format('kafka')
      .options({ 'kafka.bootstrap.servers': bootstrap, subscribe: topic, startingOffsets: 'earliest' })
      .load()
  const bytesOf = async (rows: readonly object[], schema: any, expression: string, encode: (c: any) => any) =>
    (
      (await frameOf(rows, schema)
        .selectExpr(`${expression} as v`)
        .select((c: any) => ({ bytes: encode(c.v) }))
        .collect()) as Row[]
    ).map(({ bytes }) => bytes as Uint8Array)
  /** The second of three values is poison. */
  const check = async (topic: string, frame: any, reason: string, poison: Uint8Array) => {
    const { letters, rowsOn } = await run(frame)
    expect(letters.map(({ message, at, ...known }) => known)).toEqual([
      {
        reason,
        stage: 'expression',
        source: '0',
        file: null,
        line: null,
        topic,
        partition: 0,
        offset: 1n,
        raw: new Uint8Array(poison),
        batch_id: 0n,
      },
    ])
    expect(rowsOn).toBe(2)
  }

  const avro = JSON.stringify({
    type: 'record',
    name: 'V',
    fields: [
      { name: 'n', type: 'int' },
      { name: 's', type: 'string' },
    ],
  })
  const proto = 'syntax = "proto3"; message V { int32 n = 1; string s = 2; }'
  const rows = [
    { n: 1, s: 'a' },
    { n: 3, s: 'c' },
  ]
  const columns = { n: t.int(), s: t.string() }
  const poison = new Uint8Array([0xff])

  test('text', async () => {
    const topic = await topicOf('1', 'x', '3')
    await check(topic, read(topic).selectExpr('cast(cast(value as string) as int) as v'), 'CAST_INVALID_INPUT', Buffer.from('x'))
  })
  test('JSON', async () => {
    const topic = await topicOf('{"n":1}', '{"n":', '{"n":3}')
    const parsed = read(topic).selectExpr("from_json(cast(value as string), 'n int', map('mode', 'FAILFAST')).n as n")
    await check(topic, parsed, 'MALFORMED_RECORD_IN_PARSING.WITHOUT_SUGGESTION', Buffer.from('{"n":'))
  })
  test('Avro', async () => {
    const [a, c] = await bytesOf(rows, columns, 'struct(n, s)', (v) => to_avro(v, avro))
    const topic = await topicOf(a!, poison, c!)
    await check(
      topic,
      read(topic).select((k: any) => ({ v: from_avro(k.value, avro) })),
      'MALFORMED_AVRO_MESSAGE',
      poison,
    )
  })
  test('Protobuf', async () => {
    const [a, c] = await bytesOf(rows, columns, 'struct(n, s)', (v) => to_protobuf(v, 'V', proto))
    const topic = await topicOf(a!, poison, c!)
    await check(
      topic,
      read(topic).select((k: any) => ({ v: from_protobuf(k.value, 'V', proto) })),
      'MALFORMED_PROTOBUF_MESSAGE',
      poison,
    )
  })
  test('binary', async () => {
    const topic = await topicOf(new Uint8Array([1, 0]), poison, new Uint8Array([3, 0]))
    await check(topic, read(topic).selectExpr('10 div (length(value) - 1) as v'), 'DIVIDE_BY_ZERO', poison)
  })

  describe('through a registry', () => {
    const running = during(startRegistry, (given) => given.stop())

    test('one that does not answer, or is none, ends the query by its code: good rows are no letters', async () => {
      const own = await startRegistry()
      const columnsOf = (...names: string[]) =>
        JSON.stringify({ type: 'record', name: 'V', fields: names.map((name) => ({ name, type: 'int', default: 0 })) })
      const name = uniqueName('gone')
      const registry = new SchemaRegistry({ url: own.url })
      try {
        const older = await registry.register(name, 'AVRO', columnsOf('n'))
        const [bytes] = await bytesOf([{ n: 1 }], { n: t.int() }, 'struct(n)', (v) => older.to(v))
        const topic = await topicOf(bytes!)
        // the schema that the message was written with is asked for when the message comes
        const newest = await new SchemaRegistry({ url: own.url }).register(name, 'AVRO', columnsOf('n', 'm'))
        const elsewhere = await new SchemaRegistry({ url: `${own.url}/elsewhere` }).subject(name).catch((error) => error)
        expect(elsewhere).toMatchObject({
          name: 'UnavailableError',
          code: 'SCHEMA_REGISTRY_UNAVAILABLE',
          what: expect.stringContaining('404'),
        })
        await own.stop()
        const frame = read(topic).select((k: any) => ({ v: newest.from(k.value) }))
        const attempt = keepingLetters(frame, join(folder, 'checkpoint'), { limits: { userFunctions: true } })
        await expect(attempt).rejects.toMatchObject({ code: 'SCHEMA_REGISTRY_UNAVAILABLE' })
      } finally {
        await own.stop()
      }
    })

    const json = JSON.stringify({ type: 'object', properties: { n: { type: 'integer' }, s: { type: 'string' } }, required: ['n', 's'] })
    test.each([
      ['AVRO', avro, 'MALFORMED_AVRO_MESSAGE'],
      ['PROTOBUF', proto, 'MALFORMED_PROTOBUF_MESSAGE'],
      ['JSON', json, 'MALFORMED_JSON_MESSAGE'],
    ] as const)('%s: a body that is none, a message without a schema, one whose schema nobody knows', async (kind, schema, reason) => {
      const registry = new SchemaRegistry({ url: running().url })
      const subject = await registry.register(uniqueName('letters'), kind, schema)
      const [a, c] = await bytesOf(rows, columns, 'struct(n, s)', (v) => subject.to(v))
      const cases: [string, Uint8Array][] = [
        [reason, Buffer.concat([a!.subarray(0, 5), kind === 'PROTOBUF' ? new Uint8Array([0, 0xff]) : poison])],
        ['MALFORMED_REGISTRY_MESSAGE', poison],
        ['SCHEMA_REGISTRY_SCHEMA_NOT_FOUND', Buffer.from([0, 0, 0x7f, 0, 0, 1])],
      ]
      for (const [code, bytes] of cases) {
        const topic = await topicOf(a!, bytes, c!)
        await check(
          topic,
          read(topic).select((k: any) => ({ v: subject.from(k.value) })),
          code,
          bytes,
        )
        await rm(join(folder, 'checkpoint'), { recursive: true, force: true })
      }
    })
  })

  test('the sink: a topic that is none, one that nobody has, a partition that is none, a record too large', async () => {
    const small = uniqueName('small', '-')
    await createTopic(cluster, small, 1, { 'max.message.bytes': '1000' })
    const options = { 'kafka.bootstrap.servers': bootstrap, 'kafka.compression.type': 'none', tokenTopic: uniqueName('tokens', '-') }
    const given = [
      { topic: small, partition: 0, value: 'good' },
      { partition: 0, value: 'no topic' },
      { topic: 'nobody-has-this', partition: 0, value: 'v' },
      { topic: small, partition: 7, value: 'elsewhere' },
      { topic: small, partition: 0, value: 'x'.repeat(2000) },
      { topic: small, partition: 0, value: 'fine' },
    ]
    const frame = await records(given, { topic: t.string(), partition: t.int(), value: t.string() })
    const { letters, rowsOn } = await run(frame, (writer) => writer.format('kafka').options(options))
    const reasons = ['KAFKA_NULL_TOPIC_IN_DATA', 'KAFKA_UNKNOWN_TOPIC', 'KAFKA_UNKNOWN_PARTITION', 'KAFKA_RECORD_TOO_LARGE']
    expect(ofSink(letters)).toEqual(reasons.map((reason, i) => [reason, i + 2, JSON.stringify(given[i + 1])]))
    expect(rowsOn).toBe(2)
    expect((await readTopic(cluster, small)).map(({ value }) => value)).toEqual(['good', 'fine'])
  })
})

/** A stream of JSON lines, a row a line. */
async function records(rows: readonly object[], schema: object) {
  await mkdir(join(folder, 'in'))
  await writeFile(join(folder, 'in', 'a.json'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  return (engine().readStream as any).schema(schema).json(join(folder, 'in')) as any
}
/** Of letters of the sink's: the reason, the line, the bytes. */
function ofSink(letters: readonly Row[]) {
  return letters
    .map(({ reason, stage, source, file, line, raw, batch_id }) => {
      expect({ stage, source, batch_id }).toEqual({ stage: 'sink', source: '0', batch_id: 0n })
      expect(file).toMatch(/\/in\/a\.json$/)
      return [reason, Number(line), textOf(raw)] as const
    })
    .sort(([, a], [, b]) => a - b)
}

describe('sinks', () => {
  const people = [
    { name: 'ann', city: 'oslo' },
    { name: 'bob', city: 'nowhere' },
    { name: 'ann', city: 'rome' },
    { name: 'cid', city: 'rome' },
  ]
  const schema = { name: t.string(), city: t.string() }
  const ofTable = (place: () => Awaited<ReturnType<typeof postgresPlace | typeof mariaDbPlace>>) =>
    test('rows that a table refuses', async () => {
      const { format, url, execute, rows } = place()
      const table = uniqueName('letters')
      await execute(`CREATE TABLE ${table} (name varchar(20) PRIMARY KEY, city varchar(20) CHECK (city <> 'nowhere'))`)
      const { letters, rowsOn } = await run(await records(people, schema), (writer) =>
        writer.format(format).options({ url, dbtable: table, checkNullability: 'false' }),
      )
      expect(ofSink(letters)).toEqual([2, 3].map((line) => ['DATABASE_ROW_REFUSED', line, JSON.stringify(people[line - 1])]))
      expect(rowsOn).toBe(2)
      expect((await rows(`SELECT city FROM ${table} ORDER BY name`)).map((row) => Object.values(row))).toEqual([['oslo'], ['rome']])
    })
  describePostgres('PostgreSQL', () => {
    ofTable(during(postgresPlace, (place) => place.close()))
  })
  describeMariaDb('MariaDB', () => {
    ofTable(during(mariaDbPlace, (place) => place.close()))
  })
  test('rows that a table of SQLite refuses', async () => {
    const path = join(folder, 'shop.db')
    const database = new DatabaseSync(path)
    database.exec("CREATE TABLE letters (name text PRIMARY KEY, city text CHECK (city <> 'nowhere'))")
    database.close()
    const { letters, rowsOn } = await run(await records(people, schema), (writer) =>
      writer.format('sqlite').options({ url: path, dbtable: 'letters', checkNullability: 'false' }),
    )
    expect(ofSink(letters)).toEqual([2, 3].map((line) => ['DATABASE_ROW_REFUSED', line, JSON.stringify(people[line - 1])]))
    expect(rowsOn).toBe(2)
  })

  describeRedis('Redis', () => {
    const server = during(startRedis, (given) => given.end())
    test('rows whose key holds something else, or is null', async () => {
      const client = await redisClient(server().url)
      await client.sendCommand(['SET', 'p:bob', 'a string'])
      const given = [people[0]!, people[1]!, { city: 'rome' }, people[3]!]
      const { letters, rowsOn } = await run(await records(given, schema), (writer) =>
        writer.format('redis').options({ url: server().url, prefix: 'p:', key: 'name' }),
      )
      expect(ofSink(letters)).toEqual([2, 3].map((line) => ['REDIS_ROW_REFUSED', line, JSON.stringify(given[line - 1])]))
      expect(rowsOn).toBe(2)
      expect(((await client.sendCommand(['KEYS', 'p:???'])) as unknown as string[]).sort()).toEqual(['p:ann', 'p:bob', 'p:cid'])
      client.destroy()
    })
  })

  describeSearch('OpenSearch', () => {
    const server = during(
      () => startSearch('OpenSearch'),
      (given) => given.end(),
    )
    test('documents that the index refuses, or that have no id', async () => {
      const headers = { 'content-type': 'application/json' }
      const body = JSON.stringify({ mappings: { properties: { name: { type: 'keyword' }, city: { type: 'ip' } } } })
      await fetch(`${server().url}/letters`, { method: 'PUT', headers, body })
      const given = [{ name: 'ann', city: '10.0.0.1' }, people[1]!, { city: '10.0.0.2' }, { name: 'cid', city: '10.0.0.3' }]
      const { letters, rowsOn } = await run(await records(given, schema), (writer) =>
        writer.format('opensearch').options({ url: server().url, index: 'letters', id: 'name' }),
      )
      expect(ofSink(letters)).toEqual([2, 3].map((line) => ['SEARCH_ROW_REFUSED', line, JSON.stringify(given[line - 1])]))
      expect(rowsOn).toBe(2)
    })
  })

  test('rows that a writer of foreach throws for', async () => {
    const { letters, rowsOn } = await run(await records(people, schema), (writer) =>
      writer.foreach((row: any) => {
        if (row.city === 'rome') throw new Error('not there')
      }),
    )
    expect(ofSink(letters)).toEqual([3, 4].map((line) => ['FOREACH_USER_FUNCTION_ERROR', line, JSON.stringify(people[line - 1])]))
    expect(rowsOn).toBe(2)
  })
})
