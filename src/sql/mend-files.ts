/**
 * The second way to read JSON and CSV. The first one is DuckDB's reader in its strictest setting, which costs nothing extra and stops at the
 * first record that is not what the schema says. Then the files are read here, record by record, and written as lines of JSON that DuckDB
 * reads without an error: each with the record's own text, its number and whether it was malformed. Files without such a record stay as
 * they are, unless our SQL is to judge values (times, decimals, CSV fields), for which every record's text may be needed.
 */
import { mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { InputFile } from './read-request.ts'
import { lineChunks, textChunks } from './text-records.ts'

export interface MendedRecord {
  /** An object in strict JSON. */
  readonly json: string
  readonly malformed: boolean
}
/** The records of one file as they were written. */
export interface ReadRecord extends MendedRecord {
  readonly raw: string
  /** Of the line in which it begins, from 1. */
  readonly line: number
}

/** How the records of a file are found. */
export interface Mender {
  readonly encoding: string
  readonly lineSep: string | undefined
  /** A file at a time, for records that span lines; else a line at a time. */
  readonly whole: boolean
  /** Called for each file; the function gets its lines, or its whole text, in order. */
  readonly begin: (path: string) => (text: string, line: number) => ReadRecord[]
  /** A file without malformed records may be read as it is. */
  readonly keepsCleanFiles: boolean
}

/** The fields that are added to each record: no JSON or CSV of anybody has names like these. */
export const mendedFields = { raw: '⟦raw⟧', line: '⟦line⟧', malformed: '⟦malformed⟧' } as const
const ending = '.mended'
const leastRecordBytes = 16 * 1024 * 1024

/** Files that follow one another and are read alike. */
export type MendedRun =
  /** To be read with the added fields. `maxRecordBytes` is at least the longest line that was written. */
  | { readonly kind: 'mended'; readonly paths: string[]; maxRecordBytes: number }
  /** Nothing was wrong in them. */
  | { readonly kind: 'clean'; readonly files: InputFile[] }

/** Mends files into `scratch`, each under its whole path, so that folders `name=value` stay visible. */
export async function mendFiles(files: readonly InputFile[], scratch: string, mender: Mender): Promise<MendedRun[]> {
  const runs: MendedRun[] = []
  for (const file of files) {
    const target = scratch + file.path + ending
    const written = await mendFile(file.path, target, mender)
    const last = runs.at(-1)
    if (written.mended === 0 && mender.keepsCleanFiles) {
      if (last?.kind === 'clean') last.files.push(file)
      else runs.push({ kind: 'clean', files: [file] })
    } else if (last?.kind === 'mended') {
      last.paths.push(target)
      last.maxRecordBytes = Math.max(last.maxRecordBytes, written.maxRecordBytes)
    } else runs.push({ kind: 'mended', paths: [target], maxRecordBytes: Math.max(leastRecordBytes, written.maxRecordBytes) })
  }
  return runs
}

/** SQL for the path of the file that a mended record came from. */
export function originalPath(scratch: string): string {
  return `substr(filename, ${[...scratch].length + 1}, length(filename) - ${[...scratch].length + ending.length})`
}

async function mendFile(path: string, target: string, mender: Mender): Promise<{ mended: number; maxRecordBytes: number }> {
  await mkdir(dirname(target), { recursive: true })
  const output = await open(target, 'w')
  const mend = mender.begin(path)
  let [line, mended, maxRecordBytes] = [1, 0, 0]
  try {
    for await (const texts of mender.whole ? wholeText(path, mender.encoding) : lineChunks(path, mender.encoding, mender.lineSep)) {
      let lines = ''
      for (const text of texts) {
        const records = mend(text, line)
        // an empty array is no record, and nothing that the other reader takes
        if (records.length === 0 && /\S/.test(text)) mended++
        for (const record of records) {
          const json = withFields(record)
          if (record.malformed || record.json !== record.raw) mended++
          maxRecordBytes = Math.max(maxRecordBytes, 3 * json.length)
          lines += json
        }
        line++
      }
      await output.write(lines)
    }
  } finally {
    await output.close()
  }
  return { mended, maxRecordBytes }
}

async function* wholeText(path: string, encoding: string): AsyncGenerator<string[]> {
  let text = ''
  for await (const chunk of textChunks(path, encoding)) text += chunk
  yield [text]
}

function withFields({ json, raw, line, malformed }: ReadRecord): string {
  const rest = json.slice(json.indexOf('{') + 1).replaceAll(/[\r\n]/g, ' ')
  const comma = /^\s*\}/.test(rest) ? '' : ','
  return `{"${mendedFields.raw}":${JSON.stringify(raw)},"${mendedFields.line}":${line},"${mendedFields.malformed}":${malformed}${comma}${rest}\n`
}
