/**
 * Exactly once: a batch is one transaction, and the transaction carries a commit token that names the batch. A run that starts asks for the
 * producer id of the query, which ends and fences what older runs had under way, reads the token, and puts its own name into it. From then
 * on every failure of which the outcome is not known is met in one way: the producer id is asked for anew, so that nothing that is still
 * under way can take effect, and the token says whether the batch is there and whether this run still owns the output.
 */
import { randomUUID } from 'node:crypto'
import { FencedError, InvalidQueryError, MillraceError } from '../../base/errors.ts'
import type { Sink, SinkBatch, SinkCommit, SinkContext } from '../../sinks/sink.ts'
import { failureOf } from '../errors.ts'
import { type CommitToken, encodeToken } from './commit-token.ts'
import { commitOf, type Delivered, deliver, deliveryError, learnsFrom, refusedOf, type SinkParts } from './delivery.ts'
import { type Coordinators, definiteCode, openSession, type ProducerSession } from './producer-session.ts'
import type { TokenStore } from './token-store.ts'
import { Transaction } from './transaction.ts'

export interface ExactlyOnceParts extends SinkParts {
  readonly coordinators: Coordinators
  readonly transactionalId: string
  readonly store: TokenStore
}

/** Transactions of one batch that run out of time, with every request answered, before it is told: some may be the machine's fault, not all. */
const maxTimeouts = 3

export class ExactlyOnceKafkaSink implements Sink {
  readonly description: string
  readonly guarantee = 'exactly-once'
  readonly #parts: ExactlyOnceParts
  readonly #context: SinkContext
  readonly #run = randomUUID()
  /** Undefined after a failure: what the broker knows of it is not known here. */
  #session: ProducerSession | undefined
  /** Under way, and not known to have ended. */
  #transaction: Transaction | undefined
  /** As it was last read or written; undefined before this run has put its name into it. */
  #token: CommitToken | undefined
  /** Once another run has the output, nothing more is asked of the brokers: it would disturb that run. */
  #fenced: FencedError | undefined
  #hasWarned = false
  #isStopped = false

  constructor(parts: ExactlyOnceParts, context: SinkContext, description: string) {
    this.#parts = parts
    this.#context = context
    this.description = description
  }

  /** Fences older runs and takes the output over. FencedError where a newer run has it. */
  async takeOver(): Promise<void> {
    const { store } = this.#parts
    await store.check()
    await this.#trying('the output was taken over', async () => {
      await this.#openSession()
      const found = await store.read(this.#session!)
      this.#checkTimeout(found)
      const token = { ...(found ?? { batchId: -1, slowestMs: 0 }), epoch: this.#context.epoch, run: this.#run }
      if (found !== null && found.epoch > token.epoch) throw this.#superseded(found)
      if (found?.run !== this.#run) {
        await this.#context.checkFence()
        const transaction = this.#begin()
        await store.prepare(transaction)
        await store.write(token, transaction)
        await transaction.commit()
        this.#transaction = undefined
      }
      this.#token = token
    })
  }

  async addBatch(batch: SinkBatch): Promise<SinkCommit> {
    const { batchId } = batch
    if (this.#fenced) throw this.#fenced
    this.#parts.topics.beginBatch()
    let sent: Delivered | undefined
    let attempts = 0
    return this.#trying(`batch ${batchId} was written`, async () => {
      attempts++
      if (!this.#session) await this.#recover()
      if (this.#token!.batchId >= batchId) return sent ? commitOf(sent, { attempts: String(attempts - 1) }) : this.#foundDelivered(batch)
      this.#checkToken(batchId)
      sent = undefined
      const transaction = this.#begin()
      let token: CommitToken | undefined
      const delivered = await deliver(this.#parts, {
        rows: batch.rows,
        batchId,
        nowMs: this.#context.clock.nowMs(),
        keepsDeadLetters: batch.keepsDeadLetters ?? false,
        session: transaction.session,
        transactionalId: this.#parts.transactionalId,
        begin: () => this.#parts.store.prepare(transaction),
        beforeSending: (batches) => transaction.addPartitions(batches),
        whileSending: async (all) => {
          token = this.#tokenOf(batchId, all, transaction.elapsedMs)
          await this.#parts.store.write(token, transaction)
        },
      })
      await this.#context.checkFence()
      sent = delivered
      // the answer to the commit may be late without the commit being so
      const elapsedMs = transaction.elapsedMs
      await transaction.commit()
      this.#transaction = undefined
      this.#token = { ...token!, slowestMs: Math.max(token!.slowestMs, elapsedMs) }
      this.#warnOf(elapsedMs)
      return commitOf(delivered, { transactionMs: String(Math.round(transaction.elapsedMs)), attempts: String(attempts) })
    })
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#abort()
    await this.#parts.cluster.close()
  }

  /** Repeats an attempt until it succeeds, its error is one that stays, or the time is over. */
  async #trying<T>(doing: string, attempt: () => Promise<T>): Promise<T> {
    const { options, topics, cluster, coordinators } = this.#parts
    let deadlineMs: number | undefined
    let timeouts = 0
    for (let waitMs = 0; ; waitMs = Math.min(waitMs === 0 ? cluster.options.backoffMs : 2 * waitMs, cluster.options.maxBackoffMs)) {
      try {
        return await attempt()
      } catch (error) {
        deadlineMs ??= performance.now() + options.deliveryTimeoutMs
        const elapsedMs = this.#transaction?.elapsedMs ?? 0
        if (elapsedMs >= options.transactionTimeoutMs && failureOf(error).kind !== 'network') timeouts++
        const mayTry = !this.#isStopped && (learnsFrom(error, topics) || isPassing(error))
        if (!mayTry || performance.now() > deadlineMs || timeouts >= maxTimeouts) {
          if (!(error instanceof FencedError)) await this.#abort()
          if (mayTry && timeouts >= maxTimeouts) throw this.#tooSlow(elapsedMs, error)
          throw error instanceof MillraceError ? error : deliveryError(error, doing, this.#parts)
        }
        this.#session = undefined
        this.#transaction = undefined
        // what was sent and not answered may still arrive: it is void as soon as the producer id has been asked for anew
        await cluster.dropAllConnections()
        coordinators.forget()
        topics.forget()
        await new Promise((resolve) => setTimeout(resolve, waitMs))
        if (isFenced(error)) await this.#checkOwner()
      }
    }
  }

  #begin(): Transaction {
    const { cluster, coordinators, transactionalId } = this.#parts
    this.#transaction = new Transaction(cluster, coordinators, this.#session!, transactionalId)
    return this.#transaction
  }
  async #openSession(): Promise<void> {
    const { cluster, coordinators, transactionalId, options } = this.#parts
    this.#session = await openSession(cluster, coordinators, transactionalId, options.transactionTimeoutMs)
  }

  /**
   * Ends what is under way, so that readers need not wait for its time to be over; where that fails they have to. By a new producer id, and not by the
   * request that ends a transaction: a batch that is still on its way would then arrive behind the end, and begin another.
   */
  async #abort(): Promise<void> {
    const transaction = this.#transaction
    this.#transaction = undefined
    this.#session = undefined
    if (transaction === undefined || transaction.elapsedMs === 0) return
    const { cluster, coordinators, transactionalId, options } = this.#parts
    try {
      await this.#context.checkFence()
      await openSession(cluster, coordinators, transactionalId, options.transactionTimeoutMs, 1)
    } catch {
      // the error that ended the batch is the one that is told
    }
  }

  /** Voids what is under way and reads what has become of it. */
  async #recover(): Promise<void> {
    await this.#context.checkFence()
    await this.#openSession()
    const token = await this.#parts.store.read(this.#session!)
    if (token?.run !== this.#run) {
      this.#session = undefined
      throw token === null ? this.#tokenMissing(this.#token!.batchId + 1, -1) : this.#superseded(token)
    }
    this.#token = token
  }

  /** Looks whether a newer run has taken over, without disturbing it. A transaction that ran out of time is fenced too. */
  async #checkOwner(): Promise<void> {
    await this.#context.checkFence()
    const token = await this.#parts.store.read(null)
    if (token === null || token.run === this.#run) return
    if (this.#token !== undefined || token.epoch > this.#context.epoch) throw this.#superseded(token)
  }

  /** A batch that was delivered before. Rows that it was refused by are found again by what was known of topics then. */
  async #foundDelivered({ batchId, rows, keepsDeadLetters }: SinkBatch): Promise<SinkCommit> {
    const { batchId: delivered, refusedBy } = this.#token!
    const refused = keepsDeadLetters && refusedBy && delivered === batchId ? await refusedOf(this.#parts, rows, refusedBy) : []
    return { status: 'already-committed', numOutputRows: -1, ...(refused.length > 0 && { refused }) }
  }

  #tokenOf(batchId: number, { refused, refusing }: Delivered, elapsedMs: number): CommitToken {
    const { store } = this.#parts
    const { slowestMs } = this.#token!
    const facts = Object.entries(refusing).map(
      ([topic, known]) =>
        [topic, known && { partitionCount: known.partitionCount, maxBatchBytes: known.maxBatchBytes, needsKey: known.needsKey }] as const,
    )
    const token: CommitToken = {
      batchId,
      epoch: this.#context.epoch,
      run: this.#run,
      // a slow transaction is forgotten in the course of some hundred batches
      slowestMs: Math.max(elapsedMs, slowestMs * 0.99),
      ...(refused.length > 0 && { refusedBy: Object.fromEntries(facts) }),
    }
    if (Buffer.byteLength(encodeToken(token)) <= store.maxBytes) return token
    throw new InvalidQueryError('KAFKA_TOO_MANY_REFUSING_TOPICS', {
      what: `rows of batch ${batchId} were refused because of ${facts.length} topics, and ${store.description} has no room for them (${store.maxBytes} bytes)`,
      todo: "mend the column topic, or set option('tokenTopic', …), which has more room",
    })
  }

  #checkToken(batchId: number): void {
    const { batchId: last } = this.#token!
    if (last < batchId - 1 && this.#parts.options.failOnMissingToken) throw this.#tokenMissing(batchId, last)
  }
  #tokenMissing(batchId: number, last: number): InvalidQueryError {
    const { store } = this.#parts
    const found = last < 0 ? 'does not say that any batch was delivered' : `ends at batch ${last}`
    return new InvalidQueryError('KAFKA_COMMIT_TOKEN_MISSING', {
      what: `batch ${batchId} is to be delivered, and ${store.description} ${found}: whether batch ${batchId} is in the output already is not known`,
      todo: "topic, tokenTopic and transactionalIdPrefix say where it stands, so a changed one leaves it behind, as batches that were delivered at least once do; offsets of groups go a week after the last batch (offsets.retention.minutes) and with their topic: a tokenTopic keeps them. Look whether the output has the batch, then start once with option('failOnMissingToken', false), which delivers it",
    })
  }

  #superseded(token: CommitToken): FencedError {
    this.#fenced = new FencedError('KAFKA_PRODUCER_FENCED', {
      what: `another run (epoch ${token.epoch}, ${token.run}) has taken over the output of this query: ${this.#parts.store.description} names it, and this one is epoch ${this.#context.epoch}`,
      todo: 'stop one of the two runs; where a checkpoint was copied or restored from a backup, give this query another transactionalIdPrefix',
    })
    return this.#fenced
  }

  /** At a start: what the last batches took. */
  #checkTimeout(token: CommitToken | null): void {
    const { transactionTimeoutMs } = this.#parts.options
    if (token !== null && token.slowestMs > transactionTimeoutMs) throw this.#tooSlow(token.slowestMs)
  }
  #tooSlow(elapsedMs: number, cause?: unknown): InvalidQueryError {
    const { transactionTimeoutMs } = this.#parts.options
    return new InvalidQueryError('KAFKA_TRANSACTION_TIMEOUT_TOO_SHORT', {
      what: `a batch's transaction took ${Math.round(elapsedMs)} ms, and kafka.transaction.timeout.ms = ${transactionTimeoutMs}: the broker ends it before the batch is written`,
      todo: 'set kafka.transaction.timeout.ms higher (up to transaction.max.timeout.ms of the broker), or make batches smaller: maxOffsetsPerTrigger, targetBatchDuration',
      cause,
    })
  }
  #warnOf(elapsedMs: number): void {
    const { transactionTimeoutMs } = this.#parts.options
    if (this.#hasWarned || elapsedMs < transactionTimeoutMs / 2) return
    this.#hasWarned = true
    const { print, queryName, queryId } = this.#context
    print(
      `millrace: ${queryName ?? queryId}: a batch's transaction took ${Math.round(elapsedMs)} ms, more than half of kafka.transaction.timeout.ms = ${transactionTimeoutMs}; a batch that takes longer than that stops the query`,
    )
  }
}

function isFenced(error: unknown): boolean {
  const code = definiteCode(error)
  return code === 'PRODUCER_FENCED' || code === 'INVALID_PRODUCER_EPOCH'
}

/** Whether a new producer id and another attempt may help. */
function isPassing(error: unknown): boolean {
  if (error instanceof MillraceError) return false
  const { kind, canRetry } = failureOf(error)
  return kind === 'network' || (kind === 'protocol' && (canRetry || endedByBroker.has(definiteCode(error) ?? '')))
}
const endedByBroker: ReadonlySet<string> = new Set([
  'PRODUCER_FENCED',
  'INVALID_PRODUCER_EPOCH',
  'INVALID_TXN_STATE',
  'INVALID_PRODUCER_ID_MAPPING',
  'TRANSACTION_ABORTABLE',
  'TRANSACTION_COORDINATOR_FENCED',
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'UNKNOWN_PRODUCER_ID',
  'UNKNOWN_SERVER_ERROR',
])
