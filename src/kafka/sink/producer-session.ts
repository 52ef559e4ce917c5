import { InvalidQueryError } from '../../base/errors.ts'
import type { BrokerAddress, KafkaCluster } from '../cluster.ts'
import { failureOf } from '../errors.ts'
import { partitionKey } from '../offsets.ts'
import type { BatchProducer } from './batch-builder.ts'
import { nextSequence } from './sender.ts'
import { brokerConfig } from './topic-directory.ts'

/** Calls to a coordinator, which is looked up once and again when it has moved. */
export class Coordinators {
  readonly #cluster: KafkaCluster
  readonly #found = new Map<string, BrokerAddress>()
  constructor(cluster: KafkaCluster) {
    this.#cluster = cluster
  }

  /**
   * Repeats a call whose answer says that nothing was done and that it may be sent again. Rejects with any other error as it is: what
   * the call has done is then not known.
   */
  async call<T>(
    kind: 'group' | 'transaction',
    key: string,
    send: (broker: BrokerAddress) => Promise<T>,
    timeoutMs = this.#cluster.options.callTimeoutMs,
  ): Promise<T> {
    const deadlineMs = performance.now() + timeoutMs
    const { backoffMs, maxBackoffMs } = this.#cluster.options
    for (let attempt = 0; ; attempt++) {
      try {
        return await send(await this.#find(kind, key))
      } catch (error) {
        const code = definiteCode(error)
        const isBusy = code === 'CONCURRENT_TRANSACTIONS' || code === 'UNSTABLE_OFFSET_COMMIT' || code === 'COORDINATOR_LOAD_IN_PROGRESS'
        const isElsewhere = code === 'NOT_COORDINATOR' || code === 'COORDINATOR_NOT_AVAILABLE'
        if (!isBusy && !isElsewhere) throw error
        // what is busy with a transaction is so for some milliseconds
        const mostMs = isElsewhere ? maxBackoffMs : code === 'COORDINATOR_LOAD_IN_PROGRESS' ? backoffMs : 20
        const pauseMs = Math.min(mostMs, (isElsewhere ? backoffMs : 1) * 2 ** attempt)
        if (performance.now() + pauseMs > deadlineMs) throw error
        if (isElsewhere) this.#found.delete(`${kind} ${key}`)
        await new Promise((resolve) => setTimeout(resolve, pauseMs))
      }
    }
  }
  /** They are looked up anew. */
  forget(): void {
    this.#found.clear()
  }

  async #find(kind: 'group' | 'transaction', key: string): Promise<BrokerAddress> {
    const known = this.#found.get(`${kind} ${key}`)
    if (known) return known
    const broker = await this.#cluster.coordinatorOf(kind, key)
    this.#found.set(`${kind} ${key}`, broker)
    return broker
  }
}

/** The error that a broker gave, of several the one that is about something. */
export function definiteCode(error: unknown): string | undefined {
  const inner = (error as { errors?: unknown }).errors
  const codes = Array.isArray(inner) ? inner.map((each) => failureOf(each).code) : []
  return codes.find((code) => code !== undefined && code !== 'OPERATION_NOT_ATTEMPTED') ?? failureOf(error).code
}

/** One producer id and epoch, and the sequence numbers that belong to it. */
export class ProducerSession implements BatchProducer {
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly isTransactional: boolean
  /** Partitions in which no transaction of an earlier session hangs. */
  readonly checked = new Set<string>()
  readonly #sequences = new Map<string, number>()
  constructor(producerId: bigint, producerEpoch: number, isTransactional: boolean) {
    this.producerId = producerId
    this.producerEpoch = producerEpoch
    this.isTransactional = isTransactional
  }

  /** The first sequence number of a batch of `count` records; the next batch follows it. */
  take(topic: string, partition: number, count: number): number {
    const key = partitionKey(topic, partition)
    const sequence = this.#sequences.get(key) ?? 0
    this.#sequences.set(key, nextSequence(sequence, count))
    return sequence
  }
}

/**
 * Asks for a producer id. With a transactional id this ends every transaction of earlier holders of the id, waits until their outcome is
 * written, and fences them: whatever they still send is refused. InvalidQueryError KAFKA_TRANSACTION_TIMEOUT_TOO_LONG.
 */
export async function openSession(
  cluster: KafkaCluster,
  coordinators: Coordinators,
  transactionalId: string | null,
  timeoutMs: number,
  maxAttempts?: number,
): Promise<ProducerSession> {
  const { initProducerIdV4, initProducerIdV3 } = cluster.library
  const versions = [initProducerIdV4.api, initProducerIdV3.api]
  const ask = async () => {
    try {
      const send = (broker: BrokerAddress | 'any') =>
        cluster.requestIn('transaction', broker, versions, transactionalId as string, timeoutMs, -1n, -1)
      const { producerId, producerEpoch } =
        transactionalId === null ? await send('any') : await coordinators.call('transaction', transactionalId, send)
      return new ProducerSession(producerId, producerEpoch, transactionalId !== null)
    } catch (error) {
      coordinators.forget()
      if (failureOf(error).code === 'INVALID_TRANSACTION_TIMEOUT') throw await timeoutTooLong(cluster, timeoutMs)
      throw error
    }
  }
  return cluster.retrying('a producer id was asked for', ask, maxAttempts)
}

async function timeoutTooLong(cluster: KafkaCluster, timeoutMs: number): Promise<InvalidQueryError> {
  const most = await brokerConfig(cluster, 'transaction.max.timeout.ms').catch(() => undefined)
  return new InvalidQueryError('KAFKA_TRANSACTION_TIMEOUT_TOO_LONG', {
    what: `kafka.transaction.timeout.ms = ${timeoutMs} is more than the broker allows${most === undefined ? '' : `, which is ${most}`} (transaction.max.timeout.ms)`,
    todo: "set a shorter one, or raise the broker's; batches that take longer than it can be made smaller by maxOffsetsPerTrigger and its like",
  })
}
