import { resolve } from 'node:path'
import { LocalFiles } from '../base/local-files.ts'
import { type ImportReport, importSparkCheckpoint } from '../checkpoint/import-spark.ts'

export type { ImportedSource, ImportReport } from '../checkpoint/import-spark.ts'

/**
 * Makes the checkpoint `to` for a query that goes on where the Spark query of the checkpoint `from` has stopped. `from` stays as it is.
 * `moved`: prefixes of paths in Spark's log of files that are elsewhere here. InvalidQueryError where it can't be done (state, another
 * file system, a target that is not empty), CorruptCheckpointError where Spark's logs can't be trusted.
 */
export function importCheckpoint(
  from: string,
  to: string,
  moved: readonly { readonly from: string; readonly to: string }[] = [],
): Promise<ImportReport> {
  return importSparkCheckpoint({ files: new LocalFiles(), from: resolve(from), to: resolve(to), moved })
}
