/**
 * Files of a checkpoint's state as those of another query: the same rows under another query id, with the checksums that go with it. Ids are UUIDs, all of one length,
 * so in a snapshot nothing moves.
 */
import { crc32 } from 'node:zlib'
import { assert } from '../base/errors.ts'
import type { ChangelogHeader } from './changelog.ts'

const idBytes = 36

const preambleBytes = 24
const trailerBytes = 16

/**
 * A changelog that was read and found whole. `baseCrc32`: of the changelog before it as it is now; undefined where that does not come along. The header may become longer
 * or shorter, so the places of the sections are written anew.
 */
export function rehomeChangelog(content: Uint8Array, from: string, to: string, baseCrc32: number | undefined): Uint8Array {
  const old = Buffer.from(content)
  const headerEnd = preambleBytes + old.readUInt32LE(12)
  const header = JSON.parse(old.toString('utf8', preambleBytes, headerEnd)) as ChangelogHeader
  assert(header.queryId === from, 'a changelog names the query that it belongs to')
  const footerEnd = old.length - trailerBytes
  const footerStart = footerEnd - old.readUInt32LE(footerEnd)
  const newHeader = padded({ ...header, queryId: to, baseCrc32 })
  const moved = preambleBytes + newHeader.length - headerEnd
  const { sections } = JSON.parse(old.toString('utf8', footerStart, footerEnd)) as { sections: { offset: number }[] }
  const footer = padded({ sections: sections.map((section) => ({ ...section, offset: section.offset + moved })) })
  const preamble = Buffer.alloc(preambleBytes)
  old.copy(preamble, 0, 0, 12)
  preamble.writeUInt32LE(newHeader.length, 12)
  preamble.writeUInt32LE(crc32(newHeader, crc32(preamble.subarray(0, 16))), 16)
  const trailer = Buffer.alloc(trailerBytes)
  trailer.writeUInt32LE(footer.length, 0)
  trailer.writeUInt32LE(crc32(trailer.subarray(0, 4), crc32(footer)), 4)
  old.copy(trailer, 8, old.length - 8)
  return Buffer.concat([preamble, newHeader, old.subarray(headerEnd, footerStart), footer, trailer])
}
/** JSON with spaces up to a multiple of 8 bytes. */
function padded(value: object): Buffer {
  const json = JSON.stringify(value)
  return Buffer.from(json + ' '.repeat(-Buffer.byteLength(json) & 7))
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
