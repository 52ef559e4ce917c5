/**
 * Files of a checkpoint's state as those of another query: the same bytes under another query id. Ids are UUIDs, all of one length, so nothing moves;
 * only the id, and the checksum over it, are written anew.
 */
import { crc32 } from 'node:zlib'
import { assert } from '../base/errors.ts'

const idBytes = 36

/** A changelog that was read and found whole. */
export function rehomeChangelog(content: Uint8Array, from: string, to: string): Uint8Array {
  const bytes = new Uint8Array(content)
  const view = new DataView(bytes.buffer)
  const header = bytes.subarray(24, 24 + view.getUint32(12, true))
  replaceId(header, from, to, 'a changelog')
  view.setUint32(16, crc32(header, crc32(bytes.subarray(0, 16))), true)
  return bytes
}

/** A snapshot; the id stands in the property `millrace` of its footer, which has no checksum of its own. */
export function rehomeSnapshot(content: Uint8Array, from: string, to: string): Uint8Array {
  const bytes = new Uint8Array(content)
  const footerBytes = new DataView(bytes.buffer).getUint32(bytes.length - 8, true)
  replaceId(bytes.subarray(bytes.length - 8 - footerBytes), from, to, 'a snapshot')
  return bytes
}

function replaceId(bytes: Uint8Array, from: string, to: string, what: string): void {
  assert(from.length === idBytes && to.length === idBytes, `${from} and ${to} are ids of queries`)
  const mark = '"queryId":"'
  const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).indexOf(`${mark}${from}"`)
  assert(at >= 0, `${what} names the query that it belongs to`)
  bytes.set(Buffer.from(to), at + mark.length)
}
