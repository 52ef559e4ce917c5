/**
 * Small text files of the state (schemas, manifests), in the form of the checkpoint's logs: `v<version>` and a line of JSON that ends in a checksum:
 * CRC-32 over `<queryId>\n<name>\n` and the text with zeros in the checksum's place.
 */
import { crc32 } from 'node:zlib'
import { damagedFile, newerFormat } from './state-errors.ts'

export interface CheckedFile {
  readonly queryId: string
  /** Its path below the state folder. */
  readonly name: string
  readonly path: string
}

const noChecksum = '"crc32":"00000000"}'
const endOfFile = /"crc32":"([0-9a-f]{8})"\}$/

export function encodeChecked(file: CheckedFile, version: number, content: object): string {
  const open = `v${version}\n${JSON.stringify(content).slice(0, -1)},`
  return `${open}"crc32":"${checksum(file, open + noChecksum)}"}`
}

/** The JSON of a file. CorruptCheckpointError where it is damaged, of another query, or of a newer release. */
export function decodeChecked(file: CheckedFile, content: Uint8Array, newestVersion: number): Readonly<Record<string, unknown>> {
  const text = Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString('utf8')
  const version = /^v([1-9]\d{0,8})\n/.exec(text)?.[1]
  if (version === undefined) throw damagedFile(file.path, 'its first line is not v1 or the like')
  if (Number(version) > newestVersion) throw newerFormat(file.path, Number(version), newestVersion)
  const sum = endOfFile.exec(text)?.[1]
  if (sum === undefined) throw damagedFile(file.path, 'it does not end in a checksum: it is cut short')
  if (checksum(file, text.slice(0, -noChecksum.length) + noChecksum) !== sum) {
    throw damagedFile(file.path, `its checksum is not that of "${file.name}" of query ${file.queryId}`)
  }
  return JSON.parse(text.slice(text.indexOf('\n') + 1)) as Record<string, unknown>
}

function checksum({ queryId, name }: CheckedFile, text: string): string {
  return crc32(text, crc32(`${queryId}\n${name}\n`))
    .toString(16)
    .padStart(8, '0')
}
