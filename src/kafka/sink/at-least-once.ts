import type { Clock } from '../../base/clock.ts'
import { MillraceError } from '../../base/errors.ts'
import type { Sink, SinkBatch, SinkCommit } from '../../sinks/sink.ts'
import { failureOf } from '../errors.ts'
import { commitOf, deliver, deliveryError, learnsFrom, type SinkParts } from './delivery.ts'
import { Coordinators, openSession, type ProducerSession } from './producer-session.ts'

/**
 * Without transactions: a batch that comes again after a crash is written again. Within a run nothing is written twice, since the brokers know what
 * was sent again by its sequence number.
 */
export class AtLeastOnceKafkaSink implements Sink {
  readonly description: string
  readonly guarantee = 'at-least-once'
  readonly #parts: SinkParts
  readonly #clock: Clock
  readonly #coordinators: Coordinators
  #session: ProducerSession | undefined

  constructor(parts: SinkParts, clock: Clock, description: string) {
    this.#parts = parts
    this.#clock = clock
    this.#coordinators = new Coordinators(parts.cluster)
    this.description = description
  }

  async addBatch({ batchId, rows, keepsDeadLetters = false }: SinkBatch): Promise<SinkCommit> {
    const { cluster, options, topics } = this.#parts
    topics.beginBatch()
    for (const deadlineMs = performance.now() + options.deliveryTimeoutMs; ; ) {
      try {
        this.#session ??= await openSession(cluster, this.#coordinators, null, 0)
        const delivered = await deliver(this.#parts, {
          rows,
          batchId,
          nowMs: this.#clock.nowMs(),
          keepsDeadLetters,
          session: this.#session,
          transactionalId: null,
          begin: async () => {},
          beforeSending: async () => {},
          whileSending: async () => {},
        })
        return commitOf(delivered)
      } catch (error) {
        // numbers that were given to batches that did not arrive would be missing from the sequence
        this.#session = undefined
        if (error instanceof MillraceError) throw error
        const mayTry = learnsFrom(error, topics) || lostSequences.has(failureOf(error).code ?? '')
        if (!mayTry || performance.now() > deadlineMs) throw deliveryError(error, `batch ${batchId} was written`, this.#parts)
        topics.forget()
      }
    }
  }

  async stop(): Promise<void> {
    await this.#parts.cluster.close()
  }
}

/** The broker has forgotten the producer: what is left of the batch goes under a new id. */
const lostSequences: ReadonlySet<string> = new Set([
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'UNKNOWN_PRODUCER_ID',
  'INVALID_PRODUCER_EPOCH',
  'INVALID_PRODUCER_ID_MAPPING',
])
