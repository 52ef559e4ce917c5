// The sink of Elasticsearch and OpenSearch against a real OpenSearch: documents by id, once, however often a batch comes; indices and their mappings; what is refused; what passes.
import { type Engine, MemoryStream, millrace, type Row, t } from 'millrace'
import 'millrace/elasticsearch'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { Schema } from '../../src/data/schema.ts'
import { searchSinkProvider } from '../../src/databases/elasticsearch/sink.ts'
import type { OutputMode } from '../../src/plan/logical-plan.ts'
import type { Sink } from '../../src/sinks/sink.ts'
import { runChecks } from '../../src/testing/conformance.ts'
import { ObjectRowSet } from '../../src/testing/object-row-set.ts'
import { sinkConformance } from '../../src/testing/sink-conformance.ts'
import { tempFolder } from '../../src/testing/temp-folder.ts'
import { changeKey, changeSchema, checkChanges } from './changes.ts'
import { describeSearch, meddlingProxy, type SearchKind, type SearchServer, searchKinds, selfSigned, startSearch } from './search-server.ts'

let server: SearchServer
let engine: Engine
let names = 0
const unique = (stem: string) => `${stem}-${++names}`

const numbers = new Schema([
  { name: 'n', type: 'long', nullable: true },
  { name: 's', type: 'string', nullable: true },
])
type Given = { schema?: Schema; queryId?: string; mode?: OutputMode; fence?: () => Promise<void> }
const open = (options: Record<string, string>, { schema = numbers, queryId = 'q', mode = 'append', fence }: Given = {}): Promise<Sink> =>
  searchSinkProvider.open({
    format: 'opensearch',
    schema,
    options: { url: server.url, retryDelay: '2ms', refresh: 'true', ...options },
    partitionBy: [],
    outputMode: mode,
    queryId,
    queryName: null,
    epoch: 1,
    recovering: false,
    files: undefined as never,
    clock: systemClock,
    checkFence: fence ?? (async () => {}),
    conf: () => undefined,
    print: () => {},
  } as Parameters<typeof searchSinkProvider.open>[0])
const add = (sink: Sink, batchId: number, given: readonly Row[], keepsDeadLetters = false, schema = numbers) =>
  sink.addBatch({ batchId, rows: new ObjectRowSet(schema, given), outputMode: 'append', keepsDeadLetters })
const row = (n: number, s: string | null = `v${n}`) => ({ n: BigInt(n), s })
async function ask(method: string, path: string, body?: object): Promise<any> {
  const reply = await fetch(`${server.url}${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  })
  return reply.json()
}
async function documents(index: string): Promise<Record<string, any>> {
  const found = await ask('GET', `/${index}/_search?size=1000&version=true`)
  return Object.fromEntries((found.hits?.hits ?? []).map((hit: any) => [hit._id, hit._source]))
}

for (const kind of searchKinds) describeSearch(kind, () => suite(kind))
function suite(kind: SearchKind): void {
  beforeAll(async () => {
    server = await startSearch(kind)
    engine = await millrace.local({ threads: 1, print: () => {} })
  }, 180_000)
  afterAll(async () => {
    await engine?.close()
    await server?.end()
  })

  const crash = 'the sink changes no files; connections are cut below'
  const again = 'a batch that comes again is written again, under the same ids: its status is committed'
  runChecks(
    sinkConformance(
      async () => {
        const index = unique('conform')
        return {
          open: ({ queryId, checkFence }) => open({ index, id: 'n' }, { queryId, fence: checkFence }),
          rows: (batch) =>
            new ObjectRowSet(
              numbers,
              batch.map((n) => row(n)),
            ),
          visible: async () => Object.values(await documents(index)).map(({ n }) => n),
        }
      },
      {
        guarantee: 'exactly-once',
        skips: {
          'a crash at any change of the first batch shows it whole or not at all, and the replay once': crash,
          'a crash at any change of a later batch shows it whole or not at all, and the replay once': crash,
          'with the last commit deleted, the batch is delivered again and counts once': again,
          'the very first batch delivered again counts once': again,
          'a batch delivered twice to one run counts once': again,
          'the replay holds over many batches and restarts': again,
          'of two runs with one batch, one commits and the other learns of it': again,
        },
      },
    ),
    { test, skip: test.skip },
  )

  test('a batch that comes again has its documents once, with and without columns for the id', async () => {
    for (const options of [{ id: 'n' }, {}]) {
      const index = unique('again')
      const first = await open({ index, ...options })
      // a row that is there twice stays there twice where nothing else tells rows apart
      const given = [row(1), row(2), row(3), row(3)]
      await add(first, 0, given)
      await first.stop()
      const second = await open({ index, ...options })
      expect(await add(second, 0, given.toReversed())).toMatchObject({ numOutputRows: 4 })
      await add(second, 1, [row(4)])
      await second.stop()
      expect(
        Object.values(await documents(index))
          .map(({ n }) => n)
          .sort(),
      ).toEqual('id' in options ? [1, 2, 3, 4] : [1, 2, 3, 3, 4])
    }
  })

  test('what an older batch writes late does not replace what a newer one has written', async () => {
    const index = unique('late')
    const [frozen, newer] = [await open({ index, id: 'n' }, { mode: 'update' }), await open({ index, id: 'n' }, { mode: 'update' })]
    await add(newer, 0, [row(1, 'old'), row(2, 'old')])
    await add(newer, 1, [row(1, 'new')])
    const { metrics, numOutputRows } = await add(frozen, 0, [row(1, 'old'), row(2, 'old')])
    expect([metrics!['numSuperseded'], numOutputRows]).toEqual(['1', 2])
    expect(await documents(index)).toMatchObject({ 1: { s: 'new' }, 2: { s: 'old' } })
    for (const sink of [frozen, newer]) await sink.stop()
  })

  test('rows that say so take the document with their id away', () =>
    checkChanges(async () => {
      const index = unique('changes')
      return {
        sink: await open({ index, id: changeKey, deleteColumn: 'gone', maxBulkRows: '3' }, { schema: changeSchema, mode: 'update' }),
        shown: async () => Object.values(await documents(index)).map(({ k, s, v }) => `${k} ${s} ${v ?? null}`),
      }
    }, 6))
  test('to take documents away they need ids that rows know', async () => {
    await expect(open({ index: unique('changes'), deleteColumn: 'gone' }, { schema: changeSchema })).rejects.toMatchObject({
      code: 'INCOMPATIBLE_OPTIONS',
    })
  })

  test('without versions the last one to write wins, and the index needs no note', async () => {
    const index = unique('plain')
    const sink = await open({ index, id: 'n', versions: 'false' })
    expect(sink.guarantee).toBe('at-least-once')
    await add(sink, 1, [row(1, 'new')])
    await add(sink, 0, [row(1, 'old')])
    expect(await documents(index)).toMatchObject({ 1: { s: 'old' } })
    expect((await ask('GET', `/${index}/_mapping`))[index].mappings._meta).toBeUndefined()
    await sink.stop()
  })

  test('another query’s index is refused, and adopted where that is asked for: its documents are then replaced', async () => {
    const index = unique('owned')
    const sink = await open({ index, id: 'n' })
    await add(sink, 7, [row(1, 'first')])
    await expect(open({ index, id: 'n' }, { queryId: 'other' })).rejects.toMatchObject({ code: 'SINK_OWNED_BY_ANOTHER_QUERY' })
    await new Promise((resolve) => setTimeout(resolve, 10))
    const other = await open({ index, id: 'n', adoptOutput: 'true' }, { queryId: 'other' })
    await add(other, 0, [row(1, 'second')])
    expect(await documents(index)).toMatchObject({ 1: { s: 'second' } })
    for (const each of [sink, other]) await each.stop()
  })

  describe('indices', () => {
    test('a query: every type mapped, days in indices of their own', async () => {
      const stem = unique('days')
      const stream = new MemoryStream(engine, {
        id: t.int(),
        d: t.double(),
        dec: t.decimal(10, 2),
        b: t.boolean(),
        at: t.timestamp(),
        day: t.date(),
        raw: t.binary(),
        tags: t.array(t.string()),
        who: t.struct({ name: t.string() }),
        more: t.map(t.string(), t.int()),
        words: t.string(),
      })
      const one = {
        d: 1.5,
        dec: '12.30',
        b: true,
        day: '2026-01-02',
        raw: Uint8Array.of(1),
        tags: ['a', 'b'],
        who: { name: 'ann' },
        more: new Map([['x', 1]]),
        words: 'some words',
      }
      stream.addData({ ...one, id: 1, at: '2026-01-02T23:59:59.000006Z' } as never, { ...one, id: 2, at: '2026-01-03T00:00:00Z' } as never)
      const folder = await tempFolder()
      const query = await (stream.toDF().writeStream as any)
        .format('elasticsearch')
        .options({
          url: server.url,
          index: `${stem}-{at:yyyy.MM.dd}`,
          id: 'id',
          textColumns: 'words',
          refresh: 'true',
          settings: '{"number_of_shards":2}',
        })
        .option('checkpointLocation', folder.path)
        .trigger({ availableNow: true })
        .start()
      await query.awaitTermination()
      expect(await documents(`${stem}-2026.01.02`)).toEqual({
        1: {
          id: 1,
          d: 1.5,
          dec: 12.3,
          b: true,
          at: '2026-01-02T23:59:59.000006Z',
          day: '2026-01-02',
          raw: 'AQ==',
          tags: ['a', 'b'],
          who: { name: 'ann' },
          more: { x: 1 },
          words: 'some words',
        },
      })
      expect(Object.keys(await documents(`${stem}-2026.01.03`))).toEqual(['2'])
      const { mappings, settings } = (await ask('GET', `/${stem}-2026.01.02`))[`${stem}-2026.01.02`]
      const types = Object.fromEntries(Object.entries<any>(mappings.properties).map(([name, { type = 'object' }]) => [name, type]))
      expect(types).toEqual({
        id: 'integer',
        d: 'double',
        dec: 'double',
        b: 'boolean',
        at: 'date',
        day: 'date',
        raw: 'binary',
        tags: 'keyword',
        who: 'object',
        more: 'object',
        words: 'text',
      })
      expect(settings.index.number_of_shards).toBe('2')
      const found = await ask('POST', `/${stem}-*/_search`, { query: { range: { at: { gte: '2026-01-03' } } } })
      expect(found.hits.hits.map(({ _id }: any) => _id)).toEqual(['2'])
      await folder.remove()
    })

    test('one that is there is compared before the first row; a column that it lacks is added', async () => {
      const index = unique('there')
      await ask('PUT', `/${index}`, { mappings: { properties: { n: { type: 'date' } }, _meta: { mine: 1 } } })
      await expect(open({ index })).rejects.toMatchObject({
        code: 'SEARCH_MAPPING_MISMATCH',
        message: expect.stringContaining('field n is of type date, and the column would be long'),
      })
      const other = unique('there')
      await ask('PUT', `/${other}`, { mappings: { properties: { n: { type: 'long' } }, _meta: { mine: 1 } } })
      const sink = await open({ index: other })
      const { mappings } = (await ask('GET', `/${other}/_mapping`))[other]
      expect(mappings.properties.s.type).toBe('keyword')
      expect(mappings._meta).toMatchObject({ mine: 1, millrace: { version: 1, query: 'q' } })
      await sink.stop()
      const strict = unique('strict')
      await ask('PUT', `/${strict}`, { mappings: { dynamic: 'strict', properties: { n: { type: 'long' } } } })
      await expect(open({ index: strict })).rejects.toMatchObject({
        code: 'SEARCH_MAPPING_MISMATCH',
        message: expect.stringContaining('no field s'),
      })
      await expect(open({ index: unique('none'), createIndex: 'false' })).rejects.toMatchObject({ code: 'SEARCH_INDEX_NOT_FOUND' })
    })
  })

  describe('rows that are refused', () => {
    const schema = new Schema([
      { name: 'id', type: 'string', nullable: true },
      { name: 'ip', type: 'string', nullable: true },
    ])
    const given = [
      { id: 'a', ip: '10.0.0.1' },
      { id: 'b', ip: 'nowhere' },
      { id: null, ip: '10.0.0.2' },
      { id: 'd', ip: '10.0.0.3' },
    ]
    const prepared = async () => {
      const index = unique('refused')
      await ask('PUT', `/${index}`, { mappings: { properties: { id: { type: 'keyword' }, ip: { type: 'ip' } } } })
      return open({ index, id: 'id' }, { schema })
    }
    test('end the query with the row and what the server says of it', async () => {
      const sink = await prepared()
      await expect(add(sink, 0, given.slice(0, 2), false, schema)).rejects.toMatchObject({
        code: 'SEARCH_ROW_REFUSED',
        message: expect.stringMatching(/(?:mapper|document)_parsing_exception.*"ip":"nowhere"/s),
      })
      await sink.stop()
    })
    test('are dead letters where those are kept, the same ones when the batch comes again', async () => {
      const sink = await prepared()
      const first = await add(sink, 0, given, true, schema)
      const replay = await add(sink, 0, given.toReversed(), true, schema)
      const texts = ({ refused = [] }: typeof first) => refused.map(({ reason, raw }) => `${reason} ${Buffer.from(raw!)}`).sort()
      expect(first.numOutputRows).toBe(2)
      expect(texts(first)).toEqual(['SEARCH_ROW_REFUSED {"id":"b","ip":"nowhere"}', 'SEARCH_ROW_REFUSED {"id":null,"ip":"10.0.0.2"}'])
      expect(texts(replay)).toEqual(texts(first))
      await sink.stop()
    })
    test('so are those whose index has no name', async () => {
      const sink = await open({ index: `x-{s}-${unique('i')}` })
      const { refused } = await add(sink, 0, [row(1, 'UPPER'), row(2, null), row(3, 'fine')], true)
      expect(refused!.map(({ message }) => message)).toEqual([
        expect.stringContaining('is no name of an index'),
        expect.stringContaining('column s of the index'),
      ])
      await sink.stop()
    })
  })

  describe('faults', () => {
    test('429 and 503 are waited for, rows that were taken are not sent again, cut connections and long requests end well', async () => {
      const proxy = await meddlingProxy(server.url)
      const index = unique('faults')
      const sink = await open({ index, id: 'n', url: proxy.url, maxBulkRows: '40' })
      let bulks = 0
      let longest = 0
      proxy.meddle = async (request, body, pass) => {
        if (!request.url!.startsWith('/_bulk')) return pass()
        const rows = body.split('\n').length >> 1
        bulks++
        if (bulks === 1) return { status: 429, body: '{"error":"es_rejected_execution_exception"}' }
        if (bulks === 2) return 'cut'
        if (rows > 16) return { status: 413, body: '' }
        longest = Math.max(longest, rows)
        const reply = await pass()
        // its answer is lost
        if (bulks === 8) return 'cut'
        if (bulks !== 9) return reply
        // the first row of this one was not taken after all
        const parsed = JSON.parse(reply.body)
        parsed.items[0].index = { status: 503, error: { type: 'unavailable_shards_exception', reason: 'not now' } }
        return { status: 200, body: JSON.stringify(parsed) }
      }
      const { numOutputRows, metrics } = await add(
        sink,
        0,
        Array.from({ length: 100 }, (_, n) => row(n)),
      )
      expect(numOutputRows).toBe(100)
      expect(Number(metrics!['numRetries'])).toBeGreaterThanOrEqual(4)
      expect(longest).toBeLessThanOrEqual(16)
      expect(Object.keys(await documents(index))).toHaveLength(100)
      proxy.meddle = async () => ({ status: 503, body: 'overloaded' })
      await expect(add(sink, 1, [row(1)])).rejects.toMatchObject({
        code: 'SEARCH_UNAVAILABLE',
        message: expect.stringContaining('overloaded'),
      })
      await sink.stop()
      await proxy.stop()
    })

    test('TLS with an authority of one’s own, basic authentication, an API key; the next node where one is gone', async () => {
      const folder = await tempFolder()
      const { key, cert, certPath } = selfSigned(folder.path)
      const proxy = await meddlingProxy(server.url, { key, cert })
      const seen = new Set<string | undefined>()
      proxy.meddle = async (request, _body, pass) => {
        seen.add(request.headers.authorization)
        return request.headers.authorization === undefined ? { status: 401, body: 'who are you' } : pass()
      }
      const index = unique('tls')
      await expect(open({ index, url: proxy.url, maxRetries: '0' })).rejects.toMatchObject({
        code: 'SEARCH_UNAVAILABLE',
        message: expect.stringMatching(/certificate/),
      })
      const trusted = { index, url: `https://127.0.0.1:1, ${proxy.url}`, 'tls.ca': certPath }
      await expect(open(trusted)).rejects.toMatchObject({ code: 'SEARCH_ACCESS_REFUSED' })
      for (const options of [{ username: 'ann', password: 's:x' }, { apiKey: 'abc' }] as Record<string, string>[]) {
        const sink = await open({ ...trusted, ...options })
        await add(sink, 0, [row(1)])
        await sink.stop()
      }
      expect([...seen]).toEqual([undefined, `Basic ${Buffer.from('ann:s:x').toString('base64')}`, 'ApiKey abc'])
      await proxy.stop()
      await folder.remove()
    })
  })

  test.each([
    [{}, 'MISSING_OPTION'],
    [{ index: 'Upper' }, 'SEARCH_INDEX_NAME'],
    [{ index: 'x-{at:yyyy}' }, 'SEARCH_INDEX_NAME'],
    [{ index: 'x-{s:yyyy}' }, 'SEARCH_INDEX_NAME'],
    [{ index: 'x', id: 'm' }, 'UNRESOLVED_COLUMN.WITH_SUGGESTION'],
    [{ index: 'x', refresh: 'maybe' }, 'INVALID_OPTION_VALUE'],
    [{ index: 'x', url: 'ftp://x' }, 'INVALID_OPTION_VALUE'],
    [{ index: 'x', settings: '[]' }, 'INVALID_OPTION_VALUE'],
    [{ index: 'x', apiKey: 'a', username: 'b' }, 'INCOMPATIBLE_OPTIONS'],
    [{ index: 'x', idx: 'n' }, 'UNKNOWN_OPTION'],
  ])('%o is refused before the first row', async (options, code) => {
    await expect(open(options as unknown as Record<string, string>)).rejects.toMatchObject({ code })
  })
  test('update mode needs an id', async () => {
    await expect(open({ index: 'x' }, { mode: 'update' })).rejects.toMatchObject({ code: 'MISSING_OPTION' })
  })
}
