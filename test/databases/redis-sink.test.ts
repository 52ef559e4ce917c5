// The Redis sink against a real server: what rows become, once, however often a batch comes; whose output it is; what is refused; and what Redis itself may lose.
import { type Engine, MemoryStream, millrace, type Row, t } from 'millrace'
import 'millrace/redis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { FencedError, UnavailableError } from '../../src/base/errors.ts'
import { Schema } from '../../src/data/schema.ts'
import { redisSinkProvider } from '../../src/databases/redis/sink.ts'
import type { OutputMode } from '../../src/plan/logical-plan.ts'
import type { Sink } from '../../src/sinks/sink.ts'
import { runChecks } from '../../src/testing/conformance.ts'
import { ObjectRowSet } from '../../src/testing/object-row-set.ts'
import { sinkConformance } from '../../src/testing/sink-conformance.ts'
import { tempFolder } from '../../src/testing/temp-folder.ts'
import { changeKey, changeSchema, checkChanges } from './changes.ts'
import { CuttingProxy, describeRedis, type RedisServer, redisClient, startRedis } from './redis-server.ts'

let server: RedisServer
let client: Awaited<ReturnType<typeof redisClient>>
let engine: Engine
let names = 0
// of one length: no name is the beginning of another
const unique = (stem: string) => `${stem}${String(++names).padStart(6, '0')}`

const numbers = new Schema([
  { name: 'n', type: 'long', nullable: true },
  { name: 's', type: 'string', nullable: true },
])
type Given = { schema?: Schema; epoch?: number; queryId?: string; mode?: OutputMode; recovering?: boolean; fence?: () => Promise<void> }
const open = (
  options: Record<string, string>,
  { schema = numbers, epoch = 1, queryId = 'q', mode = 'append', recovering = epoch > 1, fence }: Given = {},
): Promise<Sink> =>
  redisSinkProvider.open({
    format: 'redis',
    schema,
    options: { url: server.url, retryDelay: '5ms', ...options },
    partitionBy: [],
    outputMode: mode,
    queryId,
    queryName: null,
    epoch,
    recovering,
    files: undefined as never,
    clock: systemClock,
    checkFence: fence ?? (async () => {}),
    conf: () => undefined,
    print: () => {},
  } as Parameters<typeof redisSinkProvider.open>[0])
const rows = (...given: Row[]) => new ObjectRowSet(numbers, given)
const add = (sink: Sink, batchId: number, given: readonly Row[], outputMode: OutputMode = 'append', keepsDeadLetters = false) =>
  sink.addBatch({ batchId, rows: rows(...given), outputMode, keepsDeadLetters })
const command = <T = unknown>(...args: string[]) => client.sendCommand(args) as Promise<T>
const row = (n: number, s: string | null = `v${n}`) => ({ n: BigInt(n), s })
const keysOf = async (prefix: string) => (await command<string[]>('KEYS', `${prefix}*`)).filter((key) => !key.includes('millrace')).sort()

describeRedis('Redis', () => {
  beforeAll(async () => {
    server = await startRedis()
    client = await redisClient(server.url)
    engine = await millrace.local({ threads: 1, print: () => {} })
  })
  afterAll(async () => {
    await engine?.close()
    client?.destroy()
    await server?.end()
  })

  for (const structure of ['stream', 'hash'] as const) {
    const crash = 'the sink changes no files; a proxy cuts its connection at every message below'
    runChecks(
      sinkConformance(
        async () => {
          const name = unique(`conform-${structure}-`)
          return {
            open: ({ epoch, queryId, checkFence }) =>
              open(structure === 'stream' ? { structure, stream: name } : { structure, prefix: name, key: 'n' }, {
                epoch,
                queryId,
                recovering: epoch > 1,
                fence: checkFence,
              }),
            rows: (batch) => rows(...batch.map((n) => row(n))),
            async visible() {
              if (structure === 'stream')
                return (await command<[string, string[]][]>('XRANGE', name, '-', '+')).map(([, fields]) => Number(fields[1]))
              return (await keysOf(name)).map((key) => Number(key.slice(name.length)))
            },
          }
        },
        {
          guarantee: 'exactly-once',
          skips: {
            'a crash at any change of the first batch shows it whole or not at all, and the replay once': crash,
            'a crash at any change of a later batch shows it whole or not at all, and the replay once': crash,
          },
        },
      ),
      { test, skip: test.skip },
    )
  }

  test.each(['lost before', 'answer lost'] as const)(
    'a connection that is cut at any message (%s): the batch is whole or not there, and the replay counts once',
    async (how) => {
      const proxy = await CuttingProxy.start(server.port)
      let cuts = 0
      for (let cutAt = 1; ; cutAt++) {
        const stream = unique('cut')
        const options = { structure: 'stream', stream, pieceRows: '2', maxRetries: '0' }
        Object.assign(proxy, { cutAt, passesLast: how === 'answer lost', seen: 0 })
        const given = [1, 2, 3, 4, 5].map((n) => row(n))
        let wasCut = false
        try {
          const sink = await open({ ...options, url: `redis://127.0.0.1:${proxy.port}` })
          await add(sink, 0, given).finally(() => sink.stop())
        } catch (error) {
          expect(error).toBeInstanceOf(UnavailableError)
          wasCut = true
          cuts++
        }
        // what the server was sent last may still be on its way
        await command('PING')
        const seen = Number(await command('XLEN', stream))
        expect([0, 5]).toContain(seen)
        const again = await open(options, { epoch: 2, recovering: Number(await command('EXISTS', `${stream}:millrace`)) === 1 })
        const { status } = await add(again, 0, given.toReversed())
        expect(Number(await command('XLEN', stream))).toBe(5)
        if (seen === 5) expect(status).toBe('already-committed')
        expect(await command<string[]>('KEYS', `${stream}:millrace:stage:2:*`)).toEqual([])
        await again.stop()
        if (!wasCut) break
      }
      expect(cuts).toBeGreaterThan(3)
      await proxy.stop()
    },
  )

  test('a lost answer is found by the repetition, and the batch is this run’s own', async () => {
    const proxy = await CuttingProxy.start(server.port)
    const stream = unique('again')
    const sink = await open({ structure: 'stream', stream, url: `redis://127.0.0.1:${proxy.port}` })
    Object.assign(proxy, { cutAt: proxy.seen + 2, passesLast: true })
    const adding = add(sink, 0, [row(1)])
    // the next connection passes everything
    setTimeout(() => Object.assign(proxy, { cutAt: Number.POSITIVE_INFINITY }), 0)
    expect(await adding).toMatchObject({ status: 'committed', numOutputRows: 1 })
    expect(Number(await command('XLEN', stream))).toBe(1)
    await sink.stop()
    await proxy.stop()
  })

  test('a hash for each key: nulls take fields away, other fields stay, keys with signs are told apart', async () => {
    const prefix = unique('h:')
    const sink = await open({ prefix, key: 's' }, { mode: 'update' })
    await command('HSET', `${prefix}a`, 'mine', 'yes')
    await add(sink, 0, [row(1, 'a'), row(2, 'a:b%')], 'update')
    expect(await command('HGETALL', `${prefix}a`)).toEqual(['mine', 'yes', 'n', '1', 's', 'a'])
    expect(await command('HGET', `${prefix}a%3Ab%25`, 'n')).toBe('2')
    await add(sink, 1, [{ n: null, s: 'a' }], 'update')
    expect(await command('HGETALL', `${prefix}a`)).toEqual(['mine', 'yes', 's', 'a'])
    await sink.stop()
  })

  test.each(['hash', 'string', 'json'])('%s: rows that say so take their key away', (structure) =>
    checkChanges(async () => {
      const prefix = unique('changes:')
      const options = { structure, prefix, key: changeKey, deleteColumn: 'gone', pieceRows: '3' }
      const valueOf = async (key: string) => {
        if (structure === 'hash') return (await command<string | null>('HGET', key, 'v')) ?? 'null'
        const text = await command<string>('GET', key)
        if (structure === 'string') return text
        const { gone, v } = JSON.parse(text)
        expect(gone).toBeUndefined()
        return String(v)
      }
      return {
        sink: await open(options, { schema: changeSchema, mode: 'update' }),
        nullIsGone: structure === 'string',
        shown: async () =>
          Promise.all((await keysOf(prefix)).map(async (key) => `${key.slice(prefix.length).replace(':', ' ')} ${await valueOf(key)}`)),
      }
    }),
  )

  test('complete mode replaces: keys that are no longer in the result go', async () => {
    const prefix = unique('c:')
    const sink = await open({ prefix, key: 'n', structure: 'string' }, { mode: 'complete' })
    await add(sink, 0, [row(1), row(2)], 'complete')
    await add(sink, 1, [row(2, 'new'), row(3)], 'complete')
    expect(await keysOf(prefix)).toEqual([`${prefix}2`, `${prefix}3`])
    expect(await command('GET', `${prefix}2`)).toBe('new')
    await sink.stop()
  })

  test('every type as text; JSON; ttl and maxLength', async () => {
    const prefix = unique('t:')
    const stream = new MemoryStream(engine, {
      id: t.int(),
      d: t.double(),
      dec: t.decimal(10, 2),
      b: t.boolean(),
      at: t.timestamp(),
      day: t.date(),
      raw: t.binary(),
      tags: t.array(t.string()),
    })
    stream.addData({
      id: 7,
      d: 1.5,
      dec: '12.30',
      b: true,
      at: '2026-01-02T03:04:05.000006Z',
      day: '2026-01-02',
      raw: Uint8Array.of(0, 255),
      tags: ['a'],
    } as never)
    const folder = await tempFolder()
    const runAs = async (options: Record<string, string>) => {
      const query = await (stream.toDF().writeStream as any)
        .format('redis')
        .options({ url: server.url, ...options })
        .option('checkpointLocation', `${folder.path}/${options['structure']}`)
        .trigger({ availableNow: true })
        .start()
      await query.awaitTermination()
    }
    await runAs({ structure: 'hash', prefix, key: 'id', ttl: '1h' })
    const found = await command<string[]>('HMGET', `${prefix}7`, 'd', 'dec', 'b', 'at', 'day', 'tags')
    expect(found).toEqual(['1.5', '12.30', 'true', '2026-01-02T03:04:05.000006Z', '2026-01-02', '["a"]'])
    expect(Number(await command('STRLEN', 'x'))).toBe(0)
    expect(Number(await command('HSTRLEN', `${prefix}7`, 'raw'))).toBe(2)
    expect(Number(await command('PTTL', `${prefix}7`))).toBeGreaterThan(3_000_000)
    await runAs({ structure: 'json', prefix: `${prefix}json:`, key: 'id, day' })
    expect(JSON.parse(await command<string>('GET', `${prefix}json:7:2026-01-02`))).toMatchObject({ id: 7, dec: 12.3, raw: 'AP8=' })
    const limited = unique('short')
    const sink = await open({ structure: 'stream', stream: limited, maxLength: '10' })
    await add(
      sink,
      0,
      Array.from({ length: 1000 }, (_, n) => row(n)),
    )
    expect(Number(await command('XLEN', limited))).toBeLessThan(300)
    await sink.stop()
    await folder.remove()
  })

  test('an older run that was frozen is fenced; another query’s output is refused, and adopted where that is asked for', async () => {
    const stream = unique('fence')
    const options = { structure: 'stream', stream }
    const older = await open(options)
    await add(older, 0, [row(1)])
    const newer = await open(options, { epoch: 2 })
    await expect(add(older, 1, [row(666)])).rejects.toBeInstanceOf(FencedError)
    await add(newer, 1, [row(2)])
    await expect(open(options, { epoch: 1 })).rejects.toBeInstanceOf(FencedError)
    await expect(open(options, { queryId: 'other' })).rejects.toMatchObject({ code: 'SINK_OWNED_BY_ANOTHER_QUERY' })
    const other = await open({ ...options, adoptOutput: 'true' }, { queryId: 'other' })
    await add(other, 5, [row(3)])
    await expect(add(newer, 2, [row(666)])).rejects.toMatchObject({ code: 'SINK_OWNED_BY_ANOTHER_QUERY' })
    expect(Number(await command('XLEN', stream))).toBe(3)
    for (const sink of [older, newer, other]) await sink.stop()
  })

  test('rows that are refused: an error that shows the row and changes nothing, or letters, the same ones at a replay', async () => {
    const prefix = unique('r:')
    const options = { prefix, key: 'n' }
    await command('SET', `${prefix}2`, 'a string')
    const sink = await open(options)
    await expect(add(sink, 0, [row(1), row(2)])).rejects.toMatchObject({
      code: 'REDIS_ROW_REFUSED',
      message: expect.stringMatching(/holds a string.*"n":2/s),
    })
    await expect(add(sink, 0, [row(1), { n: null, s: 'x' }])).rejects.toMatchObject({ code: 'REDIS_ROW_REFUSED' })
    expect(await keysOf(prefix)).toEqual([`${prefix}2`])
    const given = [row(1), row(2), { n: null, s: 'x' }]
    const first = await add(sink, 0, given, 'append', true)
    expect(first).toMatchObject({ status: 'committed', numOutputRows: 1 })
    await command('DEL', `${prefix}2`)
    const replay = await add(sink, 0, given.toReversed(), 'append', true)
    const texts = ({ refused = [] }: typeof first) => refused.map(({ reason, raw }) => `${reason} ${Buffer.from(raw!)}`).sort()
    expect(texts(first)).toEqual(['REDIS_ROW_REFUSED {"n":2,"s":"v2"}', 'REDIS_ROW_REFUSED {"n":null,"s":"x"}'])
    expect(texts(replay)).toEqual(texts(first))
    expect(replay.status).toBe('already-committed')
    await sink.stop()
  })

  test('what Redis has lost is told, never passed over', async () => {
    const lossy = await startRedis(['--appendonly', 'yes', '--appendfsync', 'no'])
    const at = { url: lossy.url, structure: 'stream', stream: 'lost' }
    try {
      const sink = await open(at)
      await add(sink, 0, [row(1)])
      await add(sink, 1, [row(2)])
      const direct = await redisClient(lossy.url)
      // as a crash that loses the last second leaves it
      await direct.sendCommand(['HSET', 'lost:millrace', 'batch', '0'])
      await expect(add(sink, 2, [row(3)])).rejects.toMatchObject({
        code: 'REDIS_BATCHES_LOST',
        message: expect.stringContaining('batch 2 is to follow'),
      })
      await direct.sendCommand(['FLUSHALL'])
      await expect(add(sink, 2, [row(3)])).rejects.toMatchObject({ code: 'REDIS_BATCH_NOTE_MISSING' })
      await sink.stop()
      await expect(open(at, { epoch: 2 })).rejects.toMatchObject({ code: 'REDIS_BATCH_NOTE_MISSING' })
      const adopting = await open({ ...at, adoptOutput: 'true' }, { epoch: 3 })
      expect(await add(adopting, 2, [row(3)])).toMatchObject({ status: 'committed' })
      await adopting.stop()
      direct.destroy()
    } finally {
      await lossy.end()
    }
  })

  test('a server that restarts in the middle is waited for; with appendfsync always nothing is lost at SIGKILL', async () => {
    const own = await startRedis(['--appendonly', 'yes', '--appendfsync', 'always'])
    try {
      const sink = await open({ url: own.url, structure: 'stream', stream: 's', maxRetries: '40', retryDelay: '20ms' })
      await add(sink, 0, [row(1)])
      await own.stop('SIGKILL')
      const adding = add(sink, 1, [row(2)])
      await own.restart()
      expect(await adding).toMatchObject({ status: 'committed' })
      const direct = await redisClient(own.url)
      expect(Number(await direct.sendCommand(['XLEN', 's']))).toBe(2)
      direct.destroy()
      await sink.stop()
    } finally {
      await own.end()
    }
  })

  test('memory that is full, a password that is wrong, replicas that are missing', async () => {
    const own = await startRedis(['--requirepass', 'secret', '--maxmemory', '3mb'])
    try {
      const wrong = open({ url: own.url, password: 'guess', structure: 'stream', stream: 's' })
      await expect(wrong).rejects.toMatchObject({ code: 'REDIS_ACCESS_REFUSED' })
      const sink = await open({ url: own.url, password: 'secret', structure: 'stream', stream: 's', maxRetries: '1' })
      const large = Array.from({ length: 4000 }, (_, n) => row(n, 'x'.repeat(1000)))
      await expect(add(sink, 0, large)).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE', message: expect.stringContaining('OOM') })
      await sink.stop()
    } finally {
      await own.end()
    }
    const alone = await open({ structure: 'stream', stream: unique('wait'), waitReplicas: '1', waitTimeout: '20ms', maxRetries: '0' })
    await expect(add(alone, 0, [row(1)])).rejects.toMatchObject({
      code: 'REDIS_UNAVAILABLE',
      message: expect.stringContaining('0 replicas'),
    })
    await alone.stop()
  })

  test('a cluster: every key in one slot by a hash tag', async () => {
    const own = await startRedis(['--cluster-enabled', 'yes'])
    try {
      const direct = await redisClient(own.url)
      await direct.sendCommand(['CLUSTER', 'ADDSLOTSRANGE', '0', '16383'])
      for (let state = ''; !state.includes('cluster_state:ok'); ) {
        state = (await direct.sendCommand(['CLUSTER', 'INFO'])) as string
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      await expect(open({ url: own.url, cluster: 'true', prefix: 'p:', key: 'n' })).rejects.toMatchObject({
        code: 'REDIS_HASH_TAG_MISSING',
      })
      const sink = await open({ url: own.url, cluster: 'true', prefix: '{p}:', key: 'n' })
      await add(sink, 0, [row(1), row(2)])
      expect(await direct.sendCommand(['HGET', '{p}:2', 's'])).toBe('v2')
      await sink.stop()
      direct.destroy()
    } finally {
      await own.end()
    }
  })

  test.each([
    [{ structure: 'set' }, 'INVALID_OPTION_VALUE'],
    [{ structure: 'stream', stream: 's', key: 'n' }, 'INCOMPATIBLE_OPTIONS'],
    [{ prefix: 'p:' }, 'MISSING_OPTION'],
    [{ prefix: 'p:', key: 'm' }, 'UNRESOLVED_COLUMN.WITH_SUGGESTION'],
    [{ prefix: 'p:', key: 'n, s', structure: 'string' }, 'REDIS_STRING_NEEDS_ONE_VALUE'],
    [{ prefix: 'p:', key: 'n', url: 'http://x' }, 'INVALID_OPTION_VALUE'],
    [{ prefix: 'p:', key: 'n', 'tls.ca': '/nowhere' }, 'INVALID_OPTION_VALUE'],
    [{ prefix: 'p:', key: 'n', keys: 'n' }, 'UNKNOWN_OPTION'],
    [{ prefix: 'p:', key: 'n', url: 'redis://127.0.0.1:1', maxRetries: '1' }, 'REDIS_UNAVAILABLE'],
  ])('%o is refused before the first row', async (options, code) => {
    await expect(open(options as unknown as Record<string, string>)).rejects.toMatchObject({ code })
  })

  test('a note that is somebody else’s key', async () => {
    const prefix = unique('n:')
    await command('SET', `${prefix}:millrace`, 'x')
    await expect(open({ prefix, key: 'n' })).rejects.toMatchObject({ code: 'REDIS_NOTE_FOREIGN' })
  })
})
