import type { Options } from '../base/options.ts'
import type { FileBounds } from './row-set.ts'

/** Options of every file writer that say when a file is full: `maxRecordsPerFile` as in Spark, and `targetFileSize` (`128m`, bytes without a unit). */
export const boundOptions = ['maxRecordsPerFile', 'targetFileSize'] as const

/** The bounds that the options ask for; undefined where they ask for none (`maxRecordsPerFile` 0 means none, as in Spark). */
export function fileBounds(options: Options): FileBounds | undefined {
  const maxRows = options.wholeNumber('maxRecordsPerFile', 0) || undefined
  const targetBytes = options.bytes('targetFileSize', 1)
  if (maxRows === undefined && targetBytes === undefined) return undefined
  return { ...(maxRows !== undefined && { maxRows }), ...(targetBytes !== undefined && { targetBytes }) }
}
