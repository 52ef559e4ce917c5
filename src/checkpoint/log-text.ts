import { crc32 } from 'node:zlib'
import { CorruptCheckpointError } from '../base/errors.ts'

/*
 * The text of a file in the checkpoint:
 *
 *     v<version>
 *     {…,"crc32":"1a2b3c4d"}
 *     further lines
 *
 * A file that our code made is whole, because it got its name only after its content was synced; but a person, a copy that was cut
 * short, or a disk may change it later. The checksum finds that. It is CRC-32 (8 hex digits) over `<queryId>\n<name>\n` and then the
 * file with zeros in place of the checksum, so that a file under another number, or of another query, is found as well.
 * Spark skips JSON fields that it doesn't know, and its own files, which have no checksum, are read without one.
 */

/** Which file a text belongs to: part of its checksum, and of every error about it. */
export interface LogFile {
  readonly queryId: string
  /** `offsets/7` */
  readonly name: string
  readonly path: string
}

/** A file's version and lines after its checksum was found right. */
export interface LogText {
  readonly version: number
  readonly lines: readonly string[]
  /** False for a file that Spark wrote. */
  readonly checked: boolean
}

const noChecksum = '"crc32":"00000000"}'
const checksumAtEnd = /"crc32":"([0-9a-f]{8})"\}$/

/** `header` becomes the second line; it must not be empty. */
export function encodeLogText(file: LogFile, version: number, header: object, lines: readonly string[] = []): string {
  const open = JSON.stringify(header).slice(0, -1)
  const before = `v${version}\n${open}${open.length > 1 ? ',' : ''}`
  const rest = lines.map((line) => `\n${line}`).join('')
  return `${before}"crc32":"${checksum(file, before + noChecksum + rest)}"}${rest}`
}

/** Throws CorruptCheckpointError (MALFORMED_LOG_FILE, INVALID_LOG_VERSION.MAX_SUPPORTED_VERSION) that names the file. */
export function decodeLogText(file: LogFile, content: Uint8Array, newestVersion: number): LogText {
  const text = decodeUtf8(file, content)
  if (text === '') throw malformed(file, 'it is empty')
  const [first = '', second, ...rest] = text.split('\n')
  const version = /^v([1-9]\d{0,8})$/.exec(first)?.[1]
  if (version === undefined) throw malformed(file, `its first line is ${quote(first)} and not v1 or the like`)
  if (Number(version) > newestVersion) throw newerVersion(file, Number(version), newestVersion)
  if (second === undefined) throw malformed(file, 'it ends after its first line')
  return { version: Number(version), lines: [second, ...rest], checked: verifyChecksum(file, text, first.length + 1 + second.length) }
}

/** The object in one line of a file. */
export function parseObject(file: LogFile, line: string): Readonly<Record<string, unknown>> {
  const value = parseJson(file, line)
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw malformed(file, `${quote(line)} is not a JSON object`)
  return value as Record<string, unknown>
}

export function parseJson(file: LogFile, line: string): unknown {
  try {
    return JSON.parse(line)
  } catch (cause) {
    throw malformed(file, `${quote(line)} is not JSON`, cause)
  }
}

/** A whole number under `key`, or `missing` where there is no such key. */
export function wholeNumber(file: LogFile, object: Readonly<Record<string, unknown>>, key: string, missing?: number): number {
  const value = object[key] ?? missing
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
    throw malformed(file, `"${key}" is ${value === undefined ? 'missing' : `${quote(JSON.stringify(value))} and not a whole number`}`)
  }
  return value
}

/** Text by key under `key`, or {} where there is no such key. */
export function textMap(file: LogFile, object: Readonly<Record<string, unknown>>, key: string): Readonly<Record<string, string>> {
  const value = object[key] ?? {}
  if (typeof value !== 'object' || Array.isArray(value) || Object.values(value).some((each) => typeof each !== 'string')) {
    throw malformed(file, `"${key}" is ${quote(JSON.stringify(value))} and not a map from text to text`)
  }
  return value as Record<string, string>
}

export function malformed(file: LogFile, why: string, cause?: unknown): CorruptCheckpointError {
  return new CorruptCheckpointError('MALFORMED_LOG_FILE', {
    what: `${file.path} can't be read: ${why}`,
    todo: 'restore the checkpoint from a backup, or start the query with a new checkpoint; nothing was overwritten',
    cause,
  })
}

export function newerVersion(file: LogFile, version: number, newestVersion: number): CorruptCheckpointError {
  return new CorruptCheckpointError('INVALID_LOG_VERSION.MAX_SUPPORTED_VERSION', {
    what: `${file.path} has version v${version}, and this program reads up to v${newestVersion}`,
    todo: 'run the query with the release that wrote the checkpoint, or a later one',
  })
}

/** True where there is a checksum and it is right, false where there is none. */
function verifyChecksum(file: LogFile, text: string, endOfSecondLine: number): boolean {
  const head = text.slice(0, endOfSecondLine)
  const expected = checksumAtEnd.exec(head)?.[1]
  if (expected === undefined) return false
  const found = checksum(file, head.slice(0, -noChecksum.length) + noChecksum + text.slice(endOfSecondLine))
  if (found === expected) return true
  throw malformed(
    file,
    `its checksum is ${expected}, its content gives ${found}: it was changed or cut after it was written, ` +
      `or it belongs to another batch or query than ${file.name} of ${file.queryId}`,
  )
}

function checksum(file: LogFile, text: string): string {
  return crc32(`${file.queryId}\n${file.name}\n${text}`).toString(16).padStart(8, '0')
}

function decodeUtf8(file: LogFile, content: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content)
  } catch (cause) {
    throw malformed(file, 'it is not UTF-8', cause)
  }
}

function quote(text: string | undefined): string {
  return JSON.stringify(text === undefined || text.length <= 80 ? text : `${text.slice(0, 80)}…`)
}
