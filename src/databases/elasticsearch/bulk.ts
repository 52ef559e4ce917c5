import { InvalidQueryError } from '../../base/errors.ts'
import { type SearchClient, short } from './http.ts'

/** A document on its way. */
export interface BulkRow {
  /** Its number in the batch. */
  readonly number: number
  readonly index: string
  readonly id: string
  readonly version: number | undefined
  /** The document as JSON; for one that is to be removed what the row was, for messages. */
  readonly source: string
  readonly isDeletion: boolean
}
/** What became of a request's rows. */
export interface BulkOutcome {
  readonly written: number
  /** Rows whose documents a later batch has written already. */
  readonly superseded: number
  readonly refused: readonly { readonly row: BulkRow; readonly message: string }[]
}

interface Item {
  readonly status: number
  readonly error?: { readonly type?: string; readonly reason?: string; readonly caused_by?: { readonly reason?: string } }
}

/**
 * Writes rows with one request, and with more where that is too long for the server (413). Rows that it can't take now (429, 503) are sent again, after a pause,
 * without those that it has taken; the order of rows with one id stays. UnavailableError SEARCH_UNAVAILABLE; InvalidQueryError SEARCH_REQUEST_FAILED.
 */
export async function sendBulk(client: SearchClient, rows: readonly BulkRow[], refresh: string): Promise<BulkOutcome> {
  let left = rows
  let [written, superseded] = [0, 0]
  const refused: { row: BulkRow; message: string }[] = []
  for (let attempt = 0; left.length > 0; attempt++) {
    const reply = await client.ask('POST', `/_bulk?refresh=${refresh}`, left.map(lines).join(''), 'application/x-ndjson')
    if (reply.status === 413 && left.length > 1) {
      const middle = left.length >> 1
      for (const part of [left.slice(0, middle), left.slice(middle)]) {
        const outcome = await sendBulk(client, part, refresh)
        written += outcome.written
        superseded += outcome.superseded
        refused.push(...outcome.refused)
      }
      break
    }
    if (reply.status === 413) {
      refused.push({ row: left[0]!, message: 'the server takes no request of that length' })
      break
    }
    const items = reply.status < 300 ? (JSON.parse(reply.body) as { items: readonly Record<string, Item>[] }).items : undefined
    if (items?.length !== left.length) {
      throw new InvalidQueryError('SEARCH_REQUEST_FAILED', {
        what: `a bulk request of ${left.length} rows at ${client.address} was answered with ${reply.status}: ${short(reply.body)}`,
        todo: 'see what the server says; the batch is not committed',
      })
    }
    const again: BulkRow[] = []
    let said = ''
    items.forEach((each, i) => {
      const [{ status, error }] = Object.values(each) as [Item]
      const row = left[i]!
      const message = `${error?.type ?? status}: ${error?.reason ?? ''}${error?.caused_by?.reason ? `; ${error.caused_by.reason}` : ''}`
      // a document that is not there is removed already
      if (status < 300 || (row.isDeletion && status === 404 && !error)) written++
      else if (status === 409 && row.version !== undefined) superseded++
      else if (status === 429 || status >= 500) {
        again.push(row)
        said = message
      } else if (status === 404 || status === 403) throw requestFailed(client, row, message)
      else refused.push({ row, message })
    })
    left = again
    if (left.length > 0) await client.pause(attempt, `${left.length} rows were not taken: ${short(said)}`)
  }
  return { written, superseded, refused }
}

function requestFailed(client: SearchClient, { index }: BulkRow, message: string): InvalidQueryError {
  return new InvalidQueryError('SEARCH_REQUEST_FAILED', {
    what: `a row for the index ${index} at ${client.address} was refused: ${short(message)}`,
    todo: 'see what the server says; the batch is not committed',
  })
}

function lines({ index, id, version, source, isDeletion }: BulkRow): string {
  // equal versions replace each other: the same batch that comes again
  const versioned = version === undefined ? {} : { version, version_type: 'external_gte' }
  if (isDeletion) return `${JSON.stringify({ delete: { _index: index, _id: id, ...versioned } })}\n`
  return `${JSON.stringify({ index: { _index: index, _id: id, ...versioned } })}\n${source}\n`
}
/** Bytes of a row in a request. */
export function bulkBytes(row: BulkRow): number {
  return Buffer.byteLength(lines(row))
}
