import type * as Hyparquet from 'hyparquet'
import type { Compressors } from 'hyparquet'
import { InvalidQueryError } from '../base/errors.ts'

interface ParquetLibrary {
  readonly parquet: typeof Hyparquet
  readonly compressors: Compressors
}

let loaded: Promise<ParquetLibrary> | undefined
/** Reads the checkpoints of a log, which are small Parquet files with nested rows. An optional peer; InvalidQueryError OPTIONAL_LIBRARY_MISSING. */
export function parquetLibrary(): Promise<ParquetLibrary> {
  loaded ??= Promise.all([import('hyparquet'), import('hyparquet-compressors')]).then(
    ([parquet, { compressors }]) => ({ parquet, compressors }),
    (cause: unknown) => {
      loaded = undefined
      throw new InvalidQueryError('OPTIONAL_LIBRARY_MISSING', {
        what: 'Delta Lake needs the packages hyparquet and hyparquet-compressors, which could not be loaded',
        todo: 'install them beside millrace: npm install hyparquet hyparquet-compressors',
        cause,
      })
    },
  )
  return loaded
}
