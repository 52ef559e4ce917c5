import { basename, dirname, join, resolve } from 'node:path'
import { InvalidQueryError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import { Options } from '../base/options.ts'
import type { Random } from '../base/random.ts'
import { boundOptions, fileBounds } from '../data/file-bounds.ts'
import { refusedWriteOptions, writeOptions } from '../data/file-options.ts'
import type { FileFormat, RowSet } from '../data/row-set.ts'
import type { LogicalPlan } from '../plan/logical-plan.ts'
import type { WriteBatch } from '../query/engine-port.ts'

const endings: Readonly<Record<FileFormat, string>> = { parquet: 'parquet', json: 'json', csv: 'csv', text: 'txt' }

interface Engine {
  runBatch<T>(plan: LogicalPlan, use: (rows: RowSet) => Promise<T>): Promise<T>
}

/**
 * Writes a batch DataFrame as files: new part files first, durably, each under its name only when it is whole; with `overwrite` the old
 * ones are removed after that, so that a failure leaves the old rows (perhaps beside some new files without a `_SUCCESS` marker) and never none.
 * InvalidQueryError PATH_ALREADY_EXISTS where the mode is errorifexists and the folder has files.
 */
export async function writeBatch(
  write: WriteBatch,
  engine: Engine,
  { files, random }: { readonly files: Files; readonly random: Random },
): Promise<void> {
  const format = write.format.toLowerCase() as FileFormat
  if (!(format in endings)) {
    throw new InvalidQueryError('DATA_SOURCE_NOT_FOUND', {
      what: `a batch can't be written with the format "${write.format}"`,
      todo: `use one of ${Object.keys(endings).join(', ')}`,
    })
  }
  const options = new Options(
    `the ${format} writer`,
    write.options,
    ['path', ...boundOptions, ...writeOptions[format]],
    refusedWriteOptions,
  )
  const bounds = fileBounds(options)
  const folder = resolve(write.path)
  const old = await filesBelow(files, folder)
  if (old.length > 0 && write.mode === 'ignore') return
  if (old.length > 0 && write.mode === 'errorifexists') {
    throw new InvalidQueryError('PATH_ALREADY_EXISTS', {
      what: `${folder} already holds ${old.length} files`,
      todo: "choose another folder, or say .mode('append') or .mode('overwrite')",
    })
  }
  await files.makeFolder(folder)
  const id = random.uuid()
  // hidden until it is whole: a stream over the folder must not find half a file
  const fileName = (index: number) => `.part-${String(index).padStart(5, '0')}-${id}.${endings[format]}`
  const written = await engine.runBatch(write.plan, (rows) =>
    rows.writeFiles({ format, folder, fileName, partitionBy: write.partitionBy, options: write.options, ...(bounds && { bounds }) }),
  )
  const paths = written.map((file) => join(folder, file.path))
  await files.sync(paths)
  for (const path of paths) await files.move(path, join(dirname(path), basename(path).slice(1)))
  if (write.mode === 'overwrite') for (const path of old) await files.delete(path)
  await files.replace(join(folder, '_SUCCESS'), '')
}

/** All files below a folder, folders' own names left out. */
async function filesBelow(files: Files, folder: string): Promise<string[]> {
  const found: string[] = []
  for (const entry of await files.list(folder)) {
    if (entry.isDirectory) found.push(...(await filesBelow(files, entry.path)))
    else found.push(entry.path)
  }
  return found
}
