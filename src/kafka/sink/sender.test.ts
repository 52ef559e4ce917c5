import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import type { KafkaCluster } from '../cluster.ts'
import { type KafkaLibrary, kafkaLibrary } from '../library.ts'
import { nextSequence, RefusedBatchError, Sender, type SequencedBatch } from './sender.ts'

let library: typeof KafkaLibrary
beforeAll(async () => {
  library = await kafkaLibrary()
})

type Outcome = 'written' | 'not leader' | 'too few replicas' | 'request lost' | 'answer lost'

/** A broker that takes a producer's batches by their sequence numbers, as Kafka does, answers in order, and fails as it is told. */
class FakeBroker {
  readonly logs = new Map<number, SequencedBatch[]>()
  requests = 0
  readonly #outcomes: readonly Outcome[]
  #last: Promise<unknown> = Promise.resolve()
  constructor(outcomes: readonly Outcome[]) {
    this.#outcomes = outcomes
  }
  cluster(): KafkaCluster {
    const options = { backoffMs: 1, maxBackoffMs: 2, requestTimeoutMs: 1000 }
    const requestIn = (...given: unknown[]) => {
      const answer = this.#last.then(() => this.#answer(given.at(-1) as SequencedBatch[]))
      this.#last = answer.catch(() => {})
      return answer
    }
    const leaderOf = async () => ({ nodeId: 1, host: 'broker', port: 1 })
    return { library, options, requestIn, leaderOf, forgetMetadata() {} } as unknown as KafkaCluster
  }
  async #answer(batches: readonly SequencedBatch[]) {
    await new Promise((resolve) => setImmediate(resolve))
    const outcome = this.#outcomes[this.requests++] ?? 'written'
    if (outcome === 'request lost') throw new library.NetworkError('lost')
    const answers = batches.map((batch, i) => {
      // a partition of the request may fail alone
      const errorCode = outcome === 'not leader' && i === 0 ? 6 : outcome === 'too few replicas' && i === 0 ? 19 : this.#append(batch)
      return { topic: batch.topic, partition: batch.partition, errorCode, message: null }
    })
    if (outcome === 'answer lost') throw new library.NetworkError('lost')
    return answers
  }
  #append(batch: SequencedBatch): number {
    const log = this.logs.get(batch.partition) ?? []
    this.logs.set(batch.partition, log)
    const last = log.at(-1)
    const expected = last ? nextSequence(last.baseSequence, last.count) : batch.baseSequence
    if (batch.baseSequence === expected && (last !== undefined || batch.baseSequence === first)) {
      log.push(batch)
      return 0
    }
    return log.slice(-5).some((each) => each.baseSequence === batch.baseSequence) ? 46 : 45
  }
}

// so that the numbers go round
const first = 2 ** 31 - 20

function batchesOf(counts: readonly (readonly [partition: number, count: number])[]): SequencedBatch[] {
  const next = new Map<number, number>()
  return counts.map(([partition, count]) => {
    const baseSequence = next.get(partition) ?? first
    next.set(partition, nextSequence(baseSequence, count))
    return { topic: 't', partition, bytes: Buffer.alloc(100), baseSequence, count }
  })
}
const settings = { transactionalId: null, maxRequestBytes: 250, maxPendingBytes: 1000, resendsUnanswered: true, giveUpAfterMs: 60_000 }

test('whatever brokers turn down and connections lose: each batch is written once, and each partition in order', async () => {
  const partition = fc.integer({ min: 0, max: 2 })
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(partition, fc.integer({ min: 1, max: 9 })), { minLength: 1, maxLength: 40 }),
      fc.array(fc.constantFrom<Outcome>('written', 'not leader', 'too few replicas', 'request lost', 'answer lost'), { maxLength: 25 }),
      async (counts, outcomes) => {
        const broker = new FakeBroker(outcomes)
        const sender = new Sender(broker.cluster(), settings)
        const batches = batchesOf(counts)
        for (const batch of batches) {
          sender.add(batch)
          sender.pump()
          await sender.ready()
        }
        await sender.flush()
        for (const number of [0, 1, 2]) expect(broker.logs.get(number) ?? []).toEqual(batches.filter((each) => each.partition === number))
      },
    ),
    {
      numRuns: 60,
      // the first batch is there and unanswered, and turned down when it comes again: a sixth one would make the broker forget it
      examples: [[Array.from({ length: 6 }, () => [2, 1]), ['answer lost', 'written', 'written', 'written', 'written', 'not leader']]],
    },
  )
})

test('within a transaction an answer that is lost is an error, which nothing is sent behind', async () => {
  const broker = new FakeBroker(['written', 'answer lost'])
  const sender = new Sender(broker.cluster(), { ...settings, transactionalId: 'x', resendsUnanswered: false, maxRequestBytes: 100 })
  for (const batch of batchesOf(Array.from({ length: 20 }, () => [0, 1] as const))) sender.add(batch)
  sender.pump()
  await expect(sender.flush()).rejects.toThrow('lost')
  await expect(sender.ready()).rejects.toThrow('lost')
  expect(broker.requests).toBeLessThan(10)
})

test('what stays refused is told with the batch and the name of the error; what passes is tried for a time', async () => {
  const refusing = (errorCode: number) =>
    new Sender(
      {
        ...new FakeBroker([]).cluster(),
        requestIn: async () => [{ topic: 't', partition: 0, errorCode, message: 'no' }],
      } as unknown as KafkaCluster,
      { ...settings, giveUpAfterMs: 30 },
    )
  const [batch] = batchesOf([[0, 1]])
  const tooLarge = refusing(10)
  tooLarge.add(batch!)
  tooLarge.pump()
  const error = await tooLarge.flush().catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(RefusedBatchError)
  expect(error).toMatchObject({ apiId: 'MESSAGE_TOO_LARGE', batch, message: 'MESSAGE_TOO_LARGE for t-0: no' })
  const moved = refusing(6)
  moved.add(batch!)
  moved.pump()
  await expect(moved.flush()).rejects.toMatchObject({ apiId: 'NOT_LEADER_OR_FOLLOWER' })
})
