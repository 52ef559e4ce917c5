import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FencedError } from '../../src/base/errors.ts'
import type { RowSet } from '../../src/data/row-set.ts'
import type { KafkaCluster } from '../../src/kafka/cluster.ts'
import type { Sink } from '../../src/sinks/sink.ts'
import { readTopic, valuesOf } from './read-topic.ts'
import { describeKafka, sharedBroker, uniqueName } from './shared-broker.ts'
import { keyed, openSink, type SinkRunOptions } from './sink-run.ts'
import { createTopic, deleteTopic, openCluster } from './topics.ts'
import { transaction } from './transactions.ts'

/** Numbers of the protocol's requests. */
const produce = 0
const initProducerId = 22
const addPartitions = 24
const addOffsets = 25
const endTxn = 26
const txnOffsetCommit = 28

type Fault = 'request lost' | 'answer lost'

describeKafka('the Kafka sink when something fails', () => {
  let bootstrap = ''
  let cluster: KafkaCluster
  beforeAll(async () => {
    bootstrap = (await sharedBroker()).bootstrap
    cluster = await openCluster(bootstrap)
  })
  afterAll(() => cluster.close())

  async function output(more: Readonly<Record<string, string>> = {}) {
    const topic = uniqueName('faults')
    await createTopic(cluster, topic, 2)
    const options = {
      'kafka.bootstrap.servers': bootstrap,
      'kafka.retry.backoff.ms': '5',
      topic,
      transactionalIdPrefix: uniqueName('faults-id'),
      ...more,
    }
    const open = (run: Partial<SinkRunOptions> = {}) => openSink({ options, ...run })
    const add = (sink: Sink, batchId: number, rows: RowSet = keyed(`${batchId}`, `k=${batchId}`)) =>
      sink.addBatch({ batchId, rows, outputMode: 'append' })
    const values = async () => (await valuesOf(cluster, topic)).map(Number).sort((a, b) => a - b)
    return { topic, options, open, add, values }
  }

  describe.each([
    ['the token in a group', {}],
    ['the token in a topic', { tokenTopic: 'fault-tokens' }],
  ] as const)('%s', (_title, more) => {
    test.each([produce, initProducerId, addPartitions, addOffsets, txnOffsetCommit, endTxn])(
      'an answer to request %i that is lost, or the request: each batch is there once',
      async (key) => {
        for (const fault of ['request lost', 'answer lost'] as const) {
          const { open, add, values } = await output(more)
          const faults: Faults = { key: -1, fault }
          const sink = await open({ wrap: (own) => losing(own, faults) })
          expect(await add(sink, 0)).toMatchObject({ status: 'committed', numOutputRows: 2 })
          faults.key = key
          // the producer id is asked for when something else failed
          if (key === initProducerId) faults.alsoKey = produce
          expect(await add(sink, 1)).toMatchObject({ status: 'committed', numOutputRows: 2 })
          expect(await add(sink, 2)).toMatchObject({ status: 'committed' })
          expect(await add(sink, 2)).toMatchObject({ status: 'already-committed' })
          await sink.stop()
          expect(await values()).toEqual([0, 0, 1, 1, 2, 2])
        }
      },
    )

    test('a crash before the end of the transaction, and one behind it', async () => {
      const { open, add, values } = await output(more)
      let epoch = 1
      for (const [batchId, fault] of [
        [0, 'request lost'],
        [1, 'answer lost'],
      ] as const) {
        const faults: Faults = { key: endTxn, fault, dies: true, passes: 1 }
        const sink = await open({ epoch: epoch++, wrap: (own) => losing(own, faults) })
        await expect(add(sink, batchId)).rejects.toThrow('the process has died')
        const next = await open({ epoch: epoch++ })
        const { status } = await add(next, batchId)
        expect(status).toBe(fault === 'answer lost' ? 'already-committed' : 'committed')
        await next.stop()
        await sink.stop()
      }
      expect(await values()).toEqual([0, 0, 1, 1])
    })

    test('of two runs the older is fenced, wherever it stands, and leaves nothing', async () => {
      const { open, add, values } = await output(more)
      const older = await open({ epoch: 1 })
      await add(older, 0)
      // within the batch of the older run a newer one starts and delivers the same batch
      let newer: Sink | undefined
      const meanwhile = large(async () => {
        newer ??= await open({ epoch: 2 })
        await add(newer, 1)
      })
      await expect(add(older, 1, meanwhile)).rejects.toThrow(FencedError)
      await expect(add(older, 1)).rejects.toThrow(FencedError)
      // which the older one did not disturb: it looked who owns the output, and let go
      expect(await add(newer!, 2)).toMatchObject({ status: 'committed', metrics: { attempts: '1' } })
      await expect(add(older, 2)).rejects.toThrow(FencedError)
      expect(await add(newer!, 3)).toMatchObject({ status: 'committed', metrics: { attempts: '1' } })
      // an older run that comes back does not take over again
      await expect(open({ epoch: 1 })).rejects.toThrow(FencedError)
      expect(await add(newer!, 4)).toMatchObject({ status: 'committed' })
      expect(await values()).toEqual([0, 0, 1, 1, 2, 2, 3, 3, 4, 4])
      await Promise.all([older.stop(), newer!.stop()])
    })

    test('a transaction that ran out of time is made again; where it always does, the batch is too long', async () => {
      const { open, add, topic } = await output({ ...more, 'kafka.transaction.timeout.ms': '700' })
      const sink = await open()
      let pauses = 1
      const slowly = () => large(() => (pauses-- > 0 ? waitMs(1500) : Promise.resolve()))
      // on a busy machine an attempt that does not pause may be too slow as well
      expect(await add(sink, 0, slowly())).toMatchObject({ status: 'committed', metrics: { attempts: expect.stringMatching(/^[2-9]$/) } })
      pauses = 9
      await expect(add(sink, 1, slowly())).rejects.toMatchObject({ code: 'KAFKA_TRANSACTION_TIMEOUT_TOO_SHORT' })
      await sink.stop()
      expect(await readTopic(cluster, topic)).toHaveLength(4)
    })
  })

  test('a slow transaction is remembered: a time that is too short for it is found at the start, and before it is told', async () => {
    const { open, add, options } = await output({ 'kafka.transaction.timeout.ms': '1000' })
    const told: string[] = []
    const sink = await open({ print: (text) => told.push(text) })
    await add(
      sink,
      0,
      large(() => waitMs(600)),
    )
    await add(sink, 1)
    await sink.stop()
    expect(told).toEqual([expect.stringContaining('more than half of kafka.transaction.timeout.ms = 1000')])
    const shorter = { ...options, 'kafka.transaction.timeout.ms': '300' }
    await expect(open({ epoch: 2, options: shorter })).rejects.toMatchObject({ code: 'KAFKA_TRANSACTION_TIMEOUT_TOO_SHORT' })
    await (await open({ epoch: 3 })).stop()
  })

  test("a token behind another query's open transaction is waited for, not overlooked", async () => {
    const tokenTopic = uniqueName('shared-tokens')
    const { open, add, values } = await output({ tokenTopic })
    const first = await open({ epoch: 1 })
    const other = await transaction(cluster, tokenTopic, ['of another query'], 'leave', 'other')
    await add(first, 0)
    await first.stop()
    let isOpen = false
    const opening = open({ epoch: 2 }).then((sink) => {
      isOpen = true
      return sink
    })
    await waitMs(300)
    expect(isOpen).toBe(false)
    await other.end('abort')
    const second = await opening
    expect(await add(second, 0)).toMatchObject({ status: 'already-committed' })
    await second.stop()
    expect(await values()).toEqual([0, 0])
  })

  test('a token that is gone: the start is refused, and can be told to go on', async () => {
    const { open, add, values, topic, options } = await output()
    const sink = await open()
    await add(sink, 0)
    await add(sink, 1)
    await sink.stop()
    await deleteGroup(cluster, `${options.transactionalIdPrefix}-query-1`)
    for (const epoch of [2, 3]) {
      const later = await open({ epoch })
      await expect(add(later, 2)).rejects.toMatchObject({ code: 'KAFKA_COMMIT_TOKEN_MISSING' })
      await later.stop()
    }
    expect(await values()).toEqual([0, 0, 1, 1])
    const told = await open({ epoch: 4, options: { ...options, failOnMissingToken: 'false' } })
    await add(told, 2)
    await told.stop()
    const again = await open({ epoch: 5 })
    expect(await add(again, 2)).toMatchObject({ status: 'already-committed' })
    await again.stop()
    expect(await values()).toEqual([0, 0, 1, 1, 2, 2])
    await deleteTopic(cluster, topic)
  })

  test('at least once: a batch that is lost on its way arrives, within a run once', async () => {
    const { open, add, values } = await output({ deliveryGuarantee: 'at-least-once' })
    for (const fault of ['request lost', 'answer lost'] as const) {
      const faults: Faults = { key: produce, fault }
      const sink = await open({ wrap: (own) => losing(own, faults) })
      expect(sink.guarantee).toBe('at-least-once')
      await add(sink, 0)
      await sink.stop()
    }
    expect(await values()).toEqual([0, 0, 0, 0])
  })

  test("a row's error ends the transaction: readers do not wait for its time to be over", async () => {
    const { open, add, topic } = await output()
    const sink = await open()
    const failing = large(async () => {
      await waitMs(100)
      throw new Error('the user function threw')
    })
    await expect(add(sink, 0, failing)).rejects.toThrow('the user function threw')
    expect(await readTopic(cluster, topic)).toEqual([])
    expect((await readTopic(cluster, topic, { isolation: 'read_uncommitted' })).length).toBeGreaterThan(0)
    await sink.stop()
  })
})

interface Faults {
  /** The next request of this kind fails, once. */
  key: number
  alsoKey?: number
  readonly fault: Fault
  /** From then on nothing works any more. */
  readonly dies?: boolean
  /** How many of that kind pass before. */
  passes?: number
}

/** A cluster that loses a request or the answer to it, as a connection that breaks does. */
function losing(cluster: KafkaCluster, faults: Faults): KafkaCluster {
  const requestIn = cluster.requestIn.bind(cluster) as (...given: unknown[]) => Promise<unknown>
  let isDead = false
  const died = () => new Error('the process has died')
  return Object.assign(cluster, {
    async requestIn(...given: unknown[]): Promise<unknown> {
      if (isDead) throw died()
      const { key } = (given[2] as { key: number }[])[0]!
      const hits = key === faults.key || key === faults.alsoKey
      if (!hits) return requestIn(...given)
      if (faults.passes) {
        faults.passes--
        return requestIn(...given)
      }
      if (key === faults.alsoKey) delete faults.alsoKey
      else if (faults.alsoKey === undefined) faults.key = -1
      if (faults.fault === 'answer lost') await requestIn(...given)
      if (faults.dies) {
        isDead = true
        throw died()
      }
      throw new cluster.library.NetworkError('the connection broke')
    },
  } as unknown as KafkaCluster)
}

async function deleteGroup(cluster: KafkaCluster, group: string): Promise<void> {
  const coordinator = await cluster.coordinatorOf('group', group)
  await cluster.request(coordinator, [cluster.library.deleteGroupsV2.api], [group])
}

/** More than a record batch, so that sending begins, and then what happens meanwhile, and one row more. */
function large(then: () => Promise<void>): RowSet {
  const rows = keyed(...Array.from({ length: 3 }, (_, i) => String(i).repeat(900_000)))
  return Object.assign(Object.create(rows) as RowSet, {
    async *chunks() {
      yield* rows.chunks()
      await then()
      yield* keyed('3').chunks()
    },
  })
}
function waitMs(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
