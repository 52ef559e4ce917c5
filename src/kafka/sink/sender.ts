import type { BrokerAddress, KafkaCluster } from '../cluster.ts'
import { failureOf } from '../errors.ts'
import { partitionKey } from '../offsets.ts'
import { type PartitionBatch, produceTo } from './produce-request.ts'

/** A batch that carries its place in its partition's sequence. */
export interface SequencedBatch extends PartitionBatch {
  readonly baseSequence: number
  readonly count: number
}
export interface SenderSettings {
  readonly transactionalId: string | null
  /** Bytes of one request; a batch is never torn. */
  readonly maxRequestBytes: number
  /** Bytes that may wait or be under way before `ready` makes the caller wait. */
  readonly maxPendingBytes: number
  /** Whether a batch of which nothing is known (no answer came) is sent again: the broker knows it by its sequence number. Else it is an error. */
  readonly resendsUnanswered: boolean
  /** How long a batch that a broker turned down for now is sent again. */
  readonly giveUpAfterMs: number
}

/** What a broker said about one batch, where that ends the sending. */
export class RefusedBatchError extends Error {
  readonly batch: SequencedBatch
  /** Kafka's name of the error. */
  readonly apiId: string
  constructor(batch: SequencedBatch, apiId: string, message: string | null) {
    super(`${apiId} for ${partitionKey(batch.topic, batch.partition)}${message ? `: ${message}` : ''}`)
    this.name = 'RefusedBatchError'
    this.batch = batch
    this.apiId = apiId
  }
}

/** Requests under way on one connection, and batches under way of one partition: the broker remembers the sequence numbers of the last five. */
const maxInFlight = 5

interface PartitionQueue {
  /** In the order of their sequence numbers. */
  waiting: SequencedBatch[]
  inFlight: number
  /** To be sent again, before those that wait. While there are any nothing new is sent. */
  failed: SequencedBatch[]
  /** Being sent again, until they have arrived. Nothing is sent for the first time meanwhile: a broker would forget that it has them when it has five later ones. */
  readonly again: Set<SequencedBatch>
  isBackingOff: boolean
  /** Since when it fails without a success. */
  failingSinceMs: number | undefined
  /** Pauses since the last success. */
  pauses: number
}

/**
 * Sends the batches of one producer: several requests at a time to each leader, several batches of a partition one behind the other. What a
 * broker turned down for now (it leads the partition no more, replicas are missing) is sent again, in the order of the sequence numbers and
 * with all that was sent behind it, so that each batch is written once and in its place.
 */
export class Sender {
  readonly #cluster: KafkaCluster
  readonly #settings: SenderSettings
  readonly #queues = new Map<string, PartitionQueue>()
  readonly #inFlightByLeader = new Map<string, number>()
  #pendingBytes = 0
  #failure: unknown
  #isPumping = false
  #pumpAgain = false
  #waiters: { readonly below: number; readonly resolve: () => void; readonly reject: (error: unknown) => void }[] = []

  constructor(cluster: KafkaCluster, settings: SenderSettings) {
    this.#cluster = cluster
    this.#settings = settings
  }

  /** Puts a batch behind those of its partition. Sending begins when `pump` is called. */
  add(batch: SequencedBatch): void {
    this.#queueOf(partitionKey(batch.topic, batch.partition)).waiting.push(batch)
    this.#pendingBytes += batch.bytes.length
  }
  /** Sends what may be sent now. */
  pump(): void {
    if (this.#isPumping) {
      this.#pumpAgain = true
      return
    }
    this.#isPumping = true
    this.#pumpAll()
      .catch((error: unknown) => this.fail(error))
      .finally(() => {
        this.#isPumping = false
        if (this.#pumpAgain) {
          this.#pumpAgain = false
          this.pump()
        }
      })
  }
  /** Waits until there is room for more. Rejects with what stopped the sending. */
  ready(): Promise<void> {
    return this.#until(this.#settings.maxPendingBytes)
  }
  /** Waits until everything has arrived. */
  flush(): Promise<void> {
    return this.#until(0)
  }
  /** Nothing more is sent; all that wait get the error. */
  fail(error: unknown): void {
    this.#failure ??= error
    for (const { reject } of this.#waiters.splice(0)) reject(this.#failure)
  }

  #until(bytes: number): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (this.#pendingBytes <= bytes) return Promise.resolve()
    return new Promise((resolve, reject) => this.#waiters.push({ below: bytes, resolve, reject }))
  }
  #settle(): void {
    const [done, others] = [
      this.#waiters.filter(({ below }) => this.#pendingBytes <= below),
      this.#waiters.filter(({ below }) => this.#pendingBytes > below),
    ]
    this.#waiters = others
    for (const { resolve } of done) resolve()
  }

  async #pumpAll(): Promise<void> {
    for (;;) {
      if (this.#failure !== undefined) return
      const byLeader = new Map<string, { broker: BrokerAddress; batches: SequencedBatch[]; bytes: number }>()
      for (const queue of this.#queues.values()) {
        const batch = queue.waiting[0]
        if (batch === undefined || !maySend(queue)) continue
        const broker = await this.#leaderOf(batch, queue)
        // while the leader was asked for, an answer may have come that changed the queue
        if (broker === undefined || queue.waiting[0] !== batch || !maySend(queue)) continue
        const address = `${broker.host}:${broker.port}`
        if ((this.#inFlightByLeader.get(address) ?? 0) >= maxInFlight) continue
        const group = byLeader.get(address) ?? { broker, batches: [], bytes: 0 }
        if (group.batches.length > 0 && group.bytes + batch.bytes.length > this.#settings.maxRequestBytes) continue
        group.batches.push(batch)
        group.bytes += batch.bytes.length
        byLeader.set(address, group)
        queue.waiting.shift()
        queue.inFlight++
      }
      if (byLeader.size === 0) return
      for (const [address, { broker, batches }] of byLeader) this.#send(address, broker, batches)
    }
  }

  /** Undefined where the partition has no leader just now. */
  async #leaderOf({ topic, partition }: SequencedBatch, queue: PartitionQueue): Promise<BrokerAddress | undefined> {
    try {
      return await this.#cluster.leaderOf(topic, partition)
    } catch (error) {
      if (!failureOf(error).canRetry) throw error
      this.#backOff(queue, error)
      return undefined
    }
  }

  #send(address: string, broker: BrokerAddress, batches: readonly SequencedBatch[]): void {
    this.#inFlightByLeader.set(address, (this.#inFlightByLeader.get(address) ?? 0) + 1)
    const { transactionalId, resendsUnanswered } = this.#settings
    produceTo(this.#cluster, broker, transactionalId, batches)
      .then(
        (answers) => {
          for (const batch of batches) {
            const answer = answers.find(({ topic, partition }) => topic === batch.topic && partition === batch.partition)
            this.#onAnswer(batch, answer?.errorCode ?? unknownServerError, answer?.message ?? null)
          }
        },
        (error: unknown) => {
          if (!resendsUnanswered || !failureOf(error).canRetry) return this.fail(error)
          for (const batch of batches) this.#again(batch, error)
        },
      )
      .catch((error: unknown) => this.fail(error))
      .finally(() => {
        this.#inFlightByLeader.set(address, this.#inFlightByLeader.get(address)! - 1)
        this.pump()
      })
  }

  #onAnswer(batch: SequencedBatch, errorCode: number, message: string | null): void {
    if (errorCode === 0 || errorCode === duplicateSequenceNumber) {
      const queue = this.#queueOf(partitionKey(batch.topic, batch.partition))
      queue.again.delete(batch)
      queue.inFlight--
      queue.failingSinceMs = undefined
      queue.pauses = 0
      this.#pendingBytes -= batch.bytes.length
      this.#settle()
      resume(queue)
      return
    }
    const error = new this.#cluster.library.ProtocolError(errorCode)
    const { code = String(errorCode), canRetry } = failureOf(error)
    const isBehindFailed = code === 'OUT_OF_ORDER_SEQUENCE_NUMBER' && this.#hasFailedBefore(batch)
    if (canRetry || isBehindFailed) this.#again(batch, error)
    else this.fail(new RefusedBatchError(batch, code, message))
  }

  #hasFailedBefore({ topic, partition, baseSequence }: SequencedBatch): boolean {
    return this.#queueOf(partitionKey(topic, partition)).failed.some((each) => precedes(each.baseSequence, baseSequence))
  }

  #again(batch: SequencedBatch, error: unknown): void {
    const queue = this.#queueOf(partitionKey(batch.topic, batch.partition))
    queue.inFlight--
    queue.failed.push(batch)
    this.#backOff(queue, error)
    resume(queue)
  }

  #backOff(queue: PartitionQueue, error: unknown): void {
    const { backoffMs, maxBackoffMs } = this.#cluster.options
    const nowMs = performance.now()
    queue.failingSinceMs ??= nowMs
    if (nowMs - queue.failingSinceMs > this.#settings.giveUpAfterMs) return this.fail(error)
    // so a broker also says that the coordinator is busy with another request of the transaction
    const isShort = failureOf(error).code === 'NOT_ENOUGH_REPLICAS'
    if (!isShort) this.#cluster.forgetMetadata()
    if (queue.isBackingOff) return
    queue.isBackingOff = true
    setTimeout(
      () => {
        queue.isBackingOff = false
        resume(queue)
        this.pump()
      },
      Math.min(maxBackoffMs, (isShort ? 1 : backoffMs) * 2 ** queue.pauses),
    )
    queue.pauses++
  }

  #queueOf(key: string): PartitionQueue {
    let queue = this.#queues.get(key)
    if (!queue) {
      queue = { waiting: [], inFlight: 0, failed: [], again: new Set(), isBackingOff: false, failingSinceMs: undefined, pauses: 0 }
      this.#queues.set(key, queue)
    }
    return queue
  }
}

function maySend(queue: PartitionQueue): boolean {
  const { waiting, failed, again, isBackingOff, inFlight } = queue
  return !isBackingOff && failed.length === 0 && inFlight < maxInFlight && (again.size === 0 || again.has(waiting[0]!))
}
/** When the last batch that was under way has come back, those that failed are the next, in their order. */
function resume(queue: PartitionQueue): void {
  if (queue.failed.length === 0 || queue.inFlight > 0 || queue.isBackingOff) return
  queue.failed.sort((a, b) => (precedes(a.baseSequence, b.baseSequence) ? -1 : 1))
  for (const batch of queue.failed) queue.again.add(batch)
  queue.waiting = [...queue.failed, ...queue.waiting]
  queue.failed = []
}

const unknownServerError = -1
const duplicateSequenceNumber = 46

/** Sequence numbers go round at 2^31. */
export function nextSequence(sequence: number, count: number): number {
  return (sequence + count) % 2 ** 31
}
function precedes(a: number, b: number): boolean {
  return (b - a + 2 ** 31) % 2 ** 31 < 2 ** 30 && a !== b
}
