import { join } from 'node:path'
import { InvalidQueryError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'

/** Refuses to write plain files into a Delta table: InvalidQueryError DELTA_INVALID_FORMAT, as Delta Lake does. */
export async function refuseDeltaTable(folder: string, format: string, files: Files): Promise<void> {
  if ((await files.stat(join(folder, '_delta_log'))) === undefined) return
  throw new InvalidQueryError('DELTA_INVALID_FORMAT', {
    what: `${folder} is a Delta table, and the format is ${format}`,
    todo: "write with format('delta'), or into another folder: files beside the table's are no rows of it, and an overwrite would take its log away",
  })
}
