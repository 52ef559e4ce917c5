/**
 * One changelog file holds what a batch changed in all operators' state. Every byte is under a checksum (docs/formats.md has the layout):
 *
 *     magic · format version · header (JSON: whose it is, which version it leads to) · sections · footer (JSON: where they are) · sizes · magic
 */
import { crc32 } from 'node:zlib'
import { CorruptCheckpointError } from '../base/errors.ts'
import type { Column } from '../data/column-batch.ts'
import { Schema } from '../data/schema.ts'
import type { StateSchema } from '../data/state-schema.ts'
import { ByteReader, type ByteWriter } from './byte-writer.ts'
import { readColumn } from './column-codec.ts'
import type { StateChanges } from './kept-store.ts'
import { damagedFile, foreignFile, newerFormat } from './state-errors.ts'
import type { StoreId } from './state-files.ts'

export const changelogFormat = 1

export interface ChangelogHeader {
  readonly queryId: string
  /** The run that wrote it. */
  readonly epoch: number
  /** The state's version after it: batch `version - 1` wrote it. */
  readonly version: number
  /** The run whose version - 1 it builds on; 0 below version 1. */
  readonly baseEpoch: number
  /** CRC-32 of the changelog that led to that version; so the checksum of a changelog stands for all history. Absent where it is not known. */
  readonly baseCrc32?: number | undefined
  readonly keyGroups: number
  /** Operator id -> the id of the schema in which its columns are written. */
  readonly schemas: Readonly<Record<string, number>>
}
/** One operator's key groups first..last. */
export interface SectionPlace {
  readonly operatorId: StoreId
  readonly firstGroup: number
  readonly lastGroup: number
}
/** What changed there. */
export interface ChangelogSection extends SectionPlace {
  readonly changes: StateChanges
}
interface SectionEntry extends SectionPlace {
  readonly upserts: number
  readonly removed: number
  readonly offset: number
  readonly bytes: number
  readonly crc32: number
}

const magic = 'MRSTATE\n'
const endMagic = 'MRS-END\n'
/** magic, format version, header bytes, checksum of these and the header, zero. */
const preambleBytes = 24
/** footer bytes, checksum of the footer and its size, magic. */
const trailerBytes = 16

/** Writes a changelog into `writer`, which is cleared first. `encode` writes a section and says how much is in it; an empty one writes nothing. */
export function encodeChangelog(
  writer: ByteWriter,
  header: ChangelogHeader,
  places: readonly SectionPlace[],
  encode: (writer: ByteWriter, place: SectionPlace) => { readonly upserts: number; readonly removed: number },
): void {
  writer.clear()
  encodeHeader(writer, header)
  const entries: SectionEntry[] = []
  for (const place of places) {
    const offset = writer.length
    const { upserts, removed } = encode(writer, place)
    const bytes = writer.length - offset
    if (bytes > 0) entries.push({ ...place, upserts, removed, offset, bytes, crc32: crc32(writer.content.subarray(offset)) })
  }
  const footer = padded(JSON.stringify({ sections: entries }))
  const offset = writer.length
  writer.text(footer)
  writer.word(writer.length - offset)
  writer.word(crc32(writer.content.subarray(offset)))
  writer.text(endMagic)
}

function encodeHeader(writer: ByteWriter, header: ChangelogHeader): void {
  const text = padded(JSON.stringify(header))
  writer.text(magic)
  writer.word(changelogFormat)
  writer.word(Buffer.byteLength(text))
  const sizes = writer.content.slice()
  writer.word(crc32(text, crc32(sizes)))
  writer.word(0)
  writer.text(text)
}

/** JSON with spaces up to a multiple of 8 bytes. */
function padded(json: string): string {
  return json + ' '.repeat(-Buffer.byteLength(json) & 7)
}

/** What the reader of a file expects of it. */
export interface ExpectedChangelog {
  readonly path: string
  readonly queryId: string
  readonly epoch: number
  readonly version: number
  readonly keyGroups: number
  /** The schema of an operator's columns by operator id and schema id. */
  schemaOf(operatorId: StoreId, schemaId: number): StateSchema | undefined
  /** Leaves out stores that the query has no more, or had under that name in a schema that does not lead to today's. */
  isWanted?(operatorId: StoreId, schemaId: number): boolean
}

/** A changelog's header and sections. CorruptCheckpointError names the file where it is damaged, of a newer release, or not the one that was asked for. */
export function decodeChangelog(
  content: Uint8Array,
  expected: ExpectedChangelog,
): { readonly header: ChangelogHeader; readonly sections: ChangelogSection[] } {
  try {
    const bytes = content.byteOffset % 8 === 0 ? content : new Uint8Array(content)
    const header = decodeHeader(bytes, expected)
    const sections = decodeFooter(bytes, expected.path)
      .filter(({ operatorId }) => expected.isWanted?.(operatorId, header.schemas[operatorId] ?? -1) ?? true)
      .map((entry) => decodeSection(bytes, entry, header, expected))
    return { header, sections }
  } catch (error) {
    if (error instanceof CorruptCheckpointError) throw error
    throw damagedFile(expected.path, error instanceof Error ? error.message : String(error), error)
  }
}

/** Only the header of a changelog. */
export function decodeChangelogHeader(content: Uint8Array, expected: Omit<ExpectedChangelog, 'schemaOf'>): ChangelogHeader {
  return decodeHeader(content.byteOffset % 8 === 0 ? content : new Uint8Array(content), expected)
}

function decodeHeader(bytes: Uint8Array, expected: Omit<ExpectedChangelog, 'schemaOf'>): ChangelogHeader {
  const { path } = expected
  if (bytes.length < preambleBytes + trailerBytes) throw damagedFile(path, `it has ${bytes.length} bytes, fewer than any changelog`)
  if (textAt(bytes, 0, 8) !== magic) throw damagedFile(path, 'it does not begin like a changelog')
  const [format, size, sum, zero] = new Uint32Array(bytes.buffer, bytes.byteOffset + 8, 4) as unknown as [number, number, number, number]
  // the version is looked at first: in a newer format the checksum may lie elsewhere
  if (format > changelogFormat) throw newerFormat(path, format, changelogFormat)
  if (preambleBytes + size > bytes.length - trailerBytes || zero !== 0) throw damagedFile(path, 'its header is cut short')
  const text = bytes.subarray(preambleBytes, preambleBytes + size)
  if (crc32(text, crc32(bytes.subarray(0, 16))) !== sum) throw damagedFile(path, 'the checksum of its header is wrong')
  const header = JSON.parse(Buffer.from(text).toString('utf8')) as ChangelogHeader
  if (header.queryId !== expected.queryId) throw foreignFile(path, `it is of query ${header.queryId}, this is query ${expected.queryId}`)
  if (header.version !== expected.version || header.epoch !== expected.epoch) {
    throw foreignFile(
      path,
      `it holds version ${header.version} of run ${header.epoch}, wanted was version ${expected.version} of run ${expected.epoch}`,
    )
  }
  if (header.keyGroups !== expected.keyGroups)
    throw foreignFile(path, `it has ${header.keyGroups} key groups, this checkpoint has ${expected.keyGroups}`)
  return header
}

function decodeFooter(bytes: Uint8Array, path: string): readonly SectionEntry[] {
  const end = bytes.length - trailerBytes
  if (textAt(bytes, end + 8, 8) !== endMagic) throw damagedFile(path, 'it does not end like a changelog: it is cut short')
  const trailer = new ByteReader(bytes.slice(end, end + 8))
  const size = trailer.word()
  if (size > end) throw damagedFile(path, 'its footer is cut short')
  if (crc32(bytes.subarray(end - size, end + 4)) !== trailer.word()) throw damagedFile(path, 'the checksum of its footer is wrong')
  const { sections } = JSON.parse(textAt(bytes, end - size, size)) as { sections: SectionEntry[] }
  const headerEnd = preambleBytes + new DataView(bytes.buffer, bytes.byteOffset).getUint32(12, true)
  if (sections.reduce((at, entry) => at + entry.bytes, headerEnd) !== end - size) throw damagedFile(path, 'its sections do not fill it')
  return sections
}

function decodeSection(
  bytes: Uint8Array,
  entry: SectionEntry,
  header: ChangelogHeader,
  { path, schemaOf }: ExpectedChangelog,
): ChangelogSection {
  const { operatorId, firstGroup, lastGroup, upserts, removed, offset, bytes: size } = entry
  const content = bytes.subarray(offset, offset + size)
  if (crc32(content) !== entry.crc32)
    throw damagedFile(path, `the checksum of its section for operator ${operatorId}, key groups ${firstGroup} to ${lastGroup}, is wrong`)
  const schemaId = header.schemas[operatorId]
  const schema = schemaId === undefined ? undefined : schemaOf(operatorId, schemaId)
  if (schema === undefined)
    throw foreignFile(path, `it has operator ${operatorId} in state schema ${schemaId}, which this checkpoint lacks`)
  const reader = new ByteReader(content)
  if (reader.word() !== upserts || reader.word() !== removed) throw damagedFile(path, 'a section and the footer disagree')
  const keyIds = reader.words(upserts * 4)
  const removedIds = reader.words(removed * 4)
  const fields = [...schema.keys, ...schema.values]
  const columns: Column[] = fields.map((field) => readColumn(reader, field.type, upserts))
  const rows = { schema: new Schema(fields.map(({ name, type, nullable }) => ({ name, type, nullable }))), length: upserts, columns }
  return { operatorId, firstGroup, lastGroup, changes: { upserts: { keyIds, rows }, removed: removedIds } }
}

function textAt(bytes: Uint8Array, at: number, length: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + at, length).toString('utf8')
}
