import { FencedError, InvalidQueryError, UnavailableError } from '../../base/errors.ts'
import type { RefusedRecord } from '../../data/side-rows.ts'
import type { Sink, SinkBatch, SinkCommit, SinkContext } from '../../sinks/sink.ts'
import { rowText } from '../row-text.ts'
import { type Argument, Reconnecting, type Send } from './connection.ts'
import type { RedisSinkOptions } from './options.ts'
import { rowCells } from './row-cells.ts'
import { applyScript, claimScript } from './scripts.ts'

/** Of the note beside the rows; in docs/formats.md. */
const noteVersion = '1'
/** What a run that died has staged goes after so long. */
const stagedSeconds = 3600
/** So many pieces are on their way at once. */
const piecesInFlight = 8

/**
 * Rows in Redis. A batch's rows are staged in pieces under keys of this run's own; then one script, which Redis runs whole, looks at the note beside the output, puts
 * all of the rows in their places and notes the batch. A batch that is noted is not written again; a newer epoch in the note ends an older run.
 */
export class RedisSink implements Sink {
  readonly description: string
  readonly guarantee = 'exactly-once'
  readonly #context: SinkContext
  readonly #options: RedisSinkOptions
  readonly #redis: Reconnecting
  readonly #query: string
  #attempts = 0
  constructor(context: SinkContext, options: RedisSinkOptions) {
    this.#context = context
    this.#options = options
    this.#redis = new Reconnecting(options.connection, options.noteKey, options, context.clock)
    this.#query = context.output === undefined ? context.queryId : `${context.queryId}/${context.output}`
    this.description = `RedisSink[${this.#redis.address}/${options.prefix} as ${options.structure}]`
  }

  /** Claims the output for this run. */
  async open(): Promise<void> {
    const { noteKey, adoptOutput } = this.#options
    const { epoch, recovering, checkFence } = this.#context
    try {
      await checkFence()
      const args = [noteVersion, this.#query, String(epoch), adoptOutput ? '1' : '0', recovering ? '1' : '0']
      const reply = await this.#redis.use('claiming the output', (send) => send(['EVAL', claimScript, '1', noteKey, ...args]))
      const [status, found] = reply as [string, string]
      if (status !== 'claimed') throw this.#refusal(status, found, -1)
    } catch (error) {
      this.#redis.close()
      throw error
    }
  }

  async addBatch(batch: SinkBatch): Promise<SinkCommit> {
    const before = this.#redis.retried
    let attempts = 0
    const { reply, rowsAlone } = await this.#redis.use(`writing batch ${batch.batchId}`, async (send) => {
      attempts++
      const staged = await this.#stage(send, batch)
      await this.#context.checkFence()
      const applied = (await this.#apply(send, batch, staged.keys)) as [string, string, string?, string[]?]
      await this.#waitForReplicas(send)
      return { reply: applied, rowsAlone: staged.refused }
    })
    const [status, found, epoch, named = []] = reply
    if (status !== 'committed' && status !== 'already') throw await this.#rowRefused(status, reply as string[], batch)
    // a script whose answer was lost is found by the repetition, under this run's own epoch
    const isOwn = status === 'committed' || (attempts > 1 && epoch === String(this.#context.epoch))
    const refused = [...rowsAlone, ...(named.length > 0 ? await this.#lettersOf(batch, named) : [])]
    return {
      status: isOwn ? 'committed' : 'already-committed',
      numOutputRows: isOwn ? Number(found) : -1,
      ...(refused.length > 0 && { refused }),
      ...(isOwn && { metrics: { numRetries: String(this.#redis.retried - before) } }),
    }
  }

  /** Sends the rows to lists of this run's own, which nobody reads but the script. */
  async #stage(send: Send, { rows, batchId, keepsDeadLetters = false }: SinkBatch): Promise<{ keys: string[]; refused: RefusedRecord[] }> {
    const { noteKey, pieceRows } = this.#options
    // what an attempt before has left is not added to
    const attempt = this.#attempts++
    const keys: string[] = []
    const refused: RefusedRecord[] = []
    const sending: Promise<unknown>[] = []
    let piece: Argument[] = []
    let count = 0
    let first = 0
    const flush = async () => {
      if (count === 0) return
      const key = `${noteKey}:stage:${this.#context.epoch}:${attempt}:${keys.length}`
      keys.push(key)
      const sent = send(['RPUSH', key, ...piece]).then(() => send(['EXPIRE', key, String(stagedSeconds)]))
      sent.catch(() => {})
      sending.push(sent)
      piece = []
      count = 0
      if (sending.length >= piecesInFlight) await sending.shift()
    }
    for await (const columns of rows.chunks()) {
      const cellsOf = rowCells(columns, this.#options)
      for (let row = 0; row < columns.length; row++) {
        const found = cellsOf(row)
        if ('nullKey' in found) {
          const message = `the column ${found.nullKey} of its key is null`
          if (!keepsDeadLetters) throw rowRefused(message, rowText(columns, row), batchId)
          refused.push(letter(message, rowText(columns, row), first + row))
          continue
        }
        piece.push(found.key, ...found.cells)
        if (++count >= pieceRows) await flush()
      }
      first += columns.length
    }
    await flush()
    await Promise.all(sending)
    return { keys, refused }
  }

  #apply(send: Send, { batchId, outputMode, keepsDeadLetters }: SinkBatch, pieces: readonly string[]): Promise<unknown> {
    const { noteKey, structure, ttlMs, maxLength, valueColumns } = this.#options
    const names = structure === 'json' || structure === 'string' ? ['value'] : valueColumns.map((at) => this.#context.schema.names[at]!)
    const numbers = [String(this.#context.epoch), String(batchId)]
    const how = [structure, outputMode, String(ttlMs ?? ''), String(maxLength ?? ''), keepsDeadLetters ? '1' : '0']
    const keys = [noteKey, `${noteKey}:keys`, ...pieces]
    return send(['EVAL', applyScript, String(keys.length), ...keys, this.#query, ...numbers, ...how, ...names])
  }

  async #waitForReplicas(send: Send): Promise<void> {
    const { waitReplicas, waitTimeoutMs } = this.#options
    if (waitReplicas === 0) return
    const have = Number(await send(['WAIT', String(waitReplicas), String(waitTimeoutMs)]))
    if (have >= waitReplicas) return
    throw new Error(`NOREPLICAS ${have} replicas have the batch, and waitReplicas = ${waitReplicas}`)
  }

  /** Rows whose keys hold something else, as letters. */
  async #lettersOf({ rows }: SinkBatch, named: readonly string[]): Promise<RefusedRecord[]> {
    const kinds = new Map(named.flatMap((key, i) => (i % 2 === 0 ? [[key, named[i + 1]!] as const] : [])))
    const letters: RefusedRecord[] = []
    let first = 0
    for await (const columns of rows.chunks()) {
      const cellsOf = rowCells(columns, this.#options)
      for (let row = 0; row < columns.length; row++) {
        const found = cellsOf(row)
        const kind = 'key' in found ? kinds.get(found.key) : undefined
        if (kind !== undefined && 'key' in found)
          letters.push(letter(`the key ${found.key} holds a ${kind}`, rowText(columns, row), first + row))
      }
      first += columns.length
    }
    return letters
  }

  async #rowRefused(status: string, reply: readonly string[], batch: SinkBatch): Promise<Error> {
    if (status !== 'refused') return this.#refusal(status, reply[1]!, batch.batchId)
    const [found] = await this.#lettersOf(batch, [reply[1]!, reply[2]!])
    return rowRefused(found!.message, Buffer.from(found!.raw!).toString(), batch.batchId)
  }

  /** What a script says instead of doing it. */
  #refusal(status: string, found: string, batchId: number): Error {
    const { noteKey, prefix } = this.#options
    switch (status) {
      case 'fenced':
        return new FencedError('CONCURRENT_QUERY', {
          what: `the run ${found} of this query writes to ${prefix} in Redis, and this is run ${this.#context.epoch}`,
          todo: 'stop one of the two; this one has been superseded',
        })
      case 'other':
        return new InvalidQueryError('SINK_OWNED_BY_ANOTHER_QUERY', {
          what: `${prefix} in Redis is the output of query ${found}, and this is query ${this.#query}`,
          todo: "choose another prefix or stream; or, where this query is to go on with that output, set .option('adoptOutput', true) once",
        })
      case 'missing':
        return new InvalidQueryError('REDIS_BATCH_NOTE_MISSING', {
          what: `Redis has no note ${noteKey} of which batches it has, and this query has run before${batchId < 0 ? '' : ` and is at batch ${batchId}`}: Redis has lost it (a crash without persistence, an eviction, FLUSHALL), or this output is new to the query`,
          todo: "see what of the output is left and restore it; then, or where the output is new, set .option('adoptOutput', true) once: the query goes on with the batch at hand",
        })
      case 'gap':
        return new InvalidQueryError('REDIS_BATCHES_LOST', {
          what: `the last batch that Redis has of ${prefix} is ${found}, and batch ${batchId} is to follow it: what came between was acknowledged and is gone (appendfsync, a failover), or this output was left out for some batches`,
          todo:
            "restore the output, or run the query anew into an empty one; with .option('adoptOutput', true), set once, it goes on with batch " +
            batchId,
        })
      case 'unstaged':
        return new UnavailableError('REDIS_UNAVAILABLE', {
          what: `Redis has removed staged rows of batch ${batchId} before they were used`,
          todo: 'see maxmemory-policy: keys without a use of their own must not be evicted; nothing of the batch is visible, and a restart goes on with it',
        })
      case 'version':
        return new InvalidQueryError('REDIS_NOTE_FOREIGN', {
          what: `the note ${noteKey} in Redis has version ${found}, and this release knows version ${noteVersion}`,
          todo: 'use the release that wrote it, or another output',
        })
      default:
        return new InvalidQueryError('REDIS_NOTE_FOREIGN', {
          what: `the key ${status === 'wrongtype' ? prefix : noteKey} in Redis holds a ${found} that is not of this sink`,
          todo: 'choose another prefix, stream or noteKey, or remove that key',
        })
    }
  }

  async stop(): Promise<void> {
    this.#redis.close()
  }
}

const refusedReason = 'REDIS_ROW_REFUSED'
function letter(message: string, row: string, number: number): RefusedRecord {
  return { reason: refusedReason, message, row: number, raw: Buffer.from(row) }
}
function rowRefused(message: string, row: string, batchId: number): InvalidQueryError {
  return new InvalidQueryError('REDIS_ROW_REFUSED', {
    what: `a row of batch ${batchId} can't be written to Redis: ${message}; the row is ${row.length <= 500 ? row : `${row.slice(0, 499)}…`}`,
    todo: 'mend or filter such rows in the query, remove the key, or keep them as dead letters: writeStream.deadLetters(…)',
  })
}
