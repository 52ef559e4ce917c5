import { assert } from '../base/errors.ts'
import type { OffsetEntry } from './checkpoint.ts'
import { decodeLogText, encodeLogText, type LogFile, malformed, parseJson, parseObject, textMap, wholeNumber } from './log-text.ts'
import type { EntryFormat } from './metadata-log.ts'

/** A source that has no offset yet. */
const voidOffset = '-'
/** Spark allows the same in `readStream.name(…)`. */
const sourceName = /^[A-Za-z0-9_]+$/

/**
 * offsets/N, in Spark's version 2: `v2`, the metadata, a line `<source>:<offset>` each. Version 1, where the sources are known
 * by their place, is read and its sources are named '0', '1', ….
 */
export const offsetFormat: EntryFormat<OffsetEntry> = {
  encode(file, entry) {
    const lines = Object.entries(entry.sources).map(([name, offset]) => {
      assert(sourceName.test(name), `"${name}" is not a name for a source in ${file.name}`)
      return `${name}:${offset === null ? voidOffset : offsetJson(file, name, offset)}`
    })
    const { batchWatermarkMs, batchTimestampMs, conf, watermarks, sourceInfo = {} } = entry
    assert(Number.isSafeInteger(batchWatermarkMs) && Number.isSafeInteger(batchTimestampMs), `times of ${file.name} are whole milliseconds`)
    const sourceMetadataInfo = Object.fromEntries(Object.entries(sourceInfo).map(([name, info]) => [name, { sourceId: name, ...info }]))
    return encodeLogText(
      file,
      2,
      { batchWatermarkMs, batchTimestampMs, conf, sourceMetadataInfo, ...(watermarks !== undefined && { watermarks }) },
      lines,
    )
  },
  decode(file, content) {
    const { version, lines, checked } = decodeLogText(file, content, 2)
    const [header = '', ...offsets] = lines
    // Java's readers of lines see none behind a last newline
    if (!checked && version === 1 && offsets.at(-1) === '') offsets.pop()
    // logs of Spark 2.0 and older have no metadata
    const metadata = header.trim() === '' && version === 1 ? {} : parseObject(file, header)
    if ('controlBatchInfo' in metadata && metadata['controlBatchInfo'] !== null)
      throw malformed(file, 'it is a control batch of Spark (an unfinished repartition)')
    const conf = textMap(file, metadata, 'conf')
    // Millrace never writes an entry without a checksum; one that names Millrace's conf and has none was cut or edited
    if (!checked && Object.keys(conf).some((key) => key.startsWith('millrace.'))) throw malformed(file, 'its checksum is missing')
    return {
      batchWatermarkMs: wholeNumber(file, metadata, 'batchWatermarkMs', version === 1 ? 0 : undefined),
      batchTimestampMs: wholeNumber(file, metadata, 'batchTimestampMs', version === 1 ? 0 : undefined),
      conf,
      sources: version === 1 ? decodeByPlace(file, offsets) : decodeByName(file, offsets),
      ...('watermarks' in metadata && { watermarks: metadata['watermarks'] }),
      ...decodeSourceInfo(file, metadata),
    }
  },
}

function offsetJson(file: LogFile, name: string, offset: unknown): string {
  const json: string | undefined = JSON.stringify(offset)
  assert(json !== undefined, `the offset of source "${name}" in ${file.name} has no JSON form`)
  return json
}

function decodeByPlace(file: LogFile, lines: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(lines.map((line, i) => [String(i), decodeOffset(file, line)]))
}

function decodeByName(file: LogFile, lines: readonly string[]): Record<string, unknown> {
  const sources = new Map<string, unknown>()
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, Math.max(colon, 0))
    if (!sourceName.test(name)) throw malformed(file, `${JSON.stringify(line)} is not <source>:<offset>`)
    if (sources.has(name)) throw malformed(file, `source "${name}" is there twice`)
    sources.set(name, decodeOffset(file, line.slice(colon + 1)))
  }
  return Object.fromEntries(sources)
}

function decodeOffset(file: LogFile, text: string): unknown {
  return text === voidOffset ? null : parseJson(file, text)
}

function decodeSourceInfo(file: LogFile, metadata: Readonly<Record<string, unknown>>): Pick<OffsetEntry, 'sourceInfo'> {
  const all = metadata['sourceMetadataInfo'] ?? {}
  if (typeof all !== 'object' || Object.keys(all).length === 0) return {}
  return {
    sourceInfo: Object.fromEntries(
      Object.keys(all).map((name) => {
        const { providerName, apiVersion } = textMap(file, all as Record<string, unknown>, name)
        if (providerName === undefined || apiVersion === undefined)
          throw malformed(file, `sourceMetadataInfo of "${name}" lacks providerName or apiVersion`)
        return [name, { providerName, apiVersion }]
      }),
    ),
  }
}
