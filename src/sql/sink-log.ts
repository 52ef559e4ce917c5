/** The `_spark_metadata` log of a folder that a streaming query writes, read as Spark reads it. */
import { CorruptCheckpointError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import type { InputFile } from './file-scan.ts'
import { plainPath } from './list-files.ts'

const version = 'v1'

/** The files that the log names, or undefined where the folder has no log. CorruptCheckpointError where an entry can't be read. */
export async function readSinkLog(files: Files, folder: string): Promise<InputFile[] | undefined> {
  const logFolder = `${folder}/_spark_metadata`
  // the folder alone is a log: that of a query which has committed nothing yet
  if ((await files.stat(logFolder))?.isDirectory !== true) return undefined
  const names = (await files.list(logFolder)).filter((entry) => !entry.isDirectory).map((entry) => entry.name)
  const { compact, later } = latestBatches(names)
  const found = new Map<string, InputFile>()
  for (const name of [...(compact === undefined ? [] : [`${compact}.compact`]), ...later.map(String)]) {
    for (const { path, size, action } of parseEntry(`${logFolder}/${name}`, await files.read(`${logFolder}/${name}`))) {
      const file = absolute(folder, path)
      if (action === 'delete') found.delete(file)
      else found.set(file, { path: file, sizeBytes: size })
    }
  }
  return [...found.values()]
}

/** The newest compaction, and the batches after it in order. */
function latestBatches(names: readonly string[]): { compact: number | undefined; later: number[] } {
  const compacts = names.flatMap((name) => (/^\d+\.compact$/.test(name) ? [Number.parseInt(name, 10)] : []))
  const compact = compacts.length > 0 ? Math.max(...compacts) : undefined
  const later = names.flatMap((name) => (/^\d+$/.test(name) && Number(name) > (compact ?? -1) ? [Number(name)] : [])).sort((a, b) => a - b)
  return { compact, later }
}

interface Entry { readonly path: string; readonly size: number; readonly action: string }

function parseEntry(path: string, content: Uint8Array): Entry[] {
  const [first, ...lines] = new TextDecoder().decode(content).split('\n')
  if (first !== version) throw corrupt(path, `begins with ${JSON.stringify(first)} instead of ${version}`)
  return lines.filter((line) => line !== '').map((line) => {
    let entry: unknown
    try {
      entry = JSON.parse(line)
    } catch (cause) {
      throw corrupt(path, `has the line ${JSON.stringify(line.slice(0, 200))}, which is no JSON`, cause)
    }
    const { path: file, size = 0, action = 'add' } = entry as Partial<Entry>
    if (typeof file !== 'string') throw corrupt(path, `has a line without a path: ${line.slice(0, 200)}`)
    return { path: file, size, action }
  })
}

/** Spark logs absolute URIs; a path without a scheme is taken as it stands, below the folder where it is relative. */
function absolute(folder: string, path: string): string {
  const plain = plainPath(path)
  return plain.startsWith('/') ? plain : `${folder}/${plain}`
}
function corrupt(path: string, what: string, cause?: unknown): CorruptCheckpointError {
  return new CorruptCheckpointError('SINK_LOG_CORRUPT', { what: `${path} ${what}`, todo: 'restore the file; it says which output files count', cause })
}
