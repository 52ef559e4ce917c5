import { InvalidQueryError } from '../base/errors.ts'
import { isGlob } from '../base/glob.ts'
import { Options } from '../base/options.ts'
import { basePathOf, type ReadFormat, readOptions, refusedReadOptions } from '../data/file-options.ts'
import { absolutePath } from '../data/file-uri.ts'
import { type Cleaning, cleaningOf } from './clean-source.ts'
import type { ReadLimit } from './source.ts'

export interface FileSourceOptions {
  readonly path: string
  readonly readLimit: ReadLimit
  readonly latestFirst: boolean
  readonly maxFileAgeMs: number
  readonly fileNameOnly: boolean
  readonly recursive: boolean
  readonly nameFilter: string | undefined
  readonly maxCachedFiles: number
  readonly discardCachedInputRatio: number
  readonly cleaning: Cleaning
  readonly ignoreMissingFiles: boolean
  /** Those that say how a file is read, and the path or basePath, below which folders `name=value` are columns; a pattern has no such columns, as in Spark. */
  readonly format: Readonly<Record<string, string>>
}

const sourceOptions = [
  'path',
  'basePath',
  'maxFilesPerTrigger',
  'maxBytesPerTrigger',
  'latestFirst',
  'maxFileAge',
  'fileNameOnly',
  'recursiveFileLookup',
  'pathGlobFilter',
  'maxCachedFiles',
  'discardCachedInputRatio',
  'cleanSource',
  'sourceArchiveDir',
]

/** Checks and reads the options of a file stream. All errors are InvalidQueryError. */
export function fileSourceOptions(format: ReadFormat, given: Readonly<Record<string, string>>): FileSourceOptions {
  refuseTimes(given)
  const options = new Options(`the ${format} file source`, given, [...sourceOptions, ...readOptions[format]], refusedReadOptions)
  const path = options.required('path', `.${format}('in/') or .load('in/')`)
  const folder = absolutePath(path)
  const recursive = options.flag('recursiveFileLookup', false)
  // a lookup through all folders takes none of them for a partition, as in Spark
  const around = basePathOf(given, [folder]) ?? (isGlob(folder) ? undefined : folder)
  const base = recursive ? undefined : around
  const maxFiles = options.limit('maxFilesPerTrigger')
  const maxBytes = options.limit('maxBytesPerTrigger')
  if (maxFiles !== undefined && maxBytes !== undefined) {
    throw new InvalidQueryError('INCOMPATIBLE_OPTIONS', {
      what: `maxFilesPerTrigger = ${maxFiles} and maxBytesPerTrigger = ${maxBytes} are both set`,
      todo: 'leave one of them out',
    })
  }
  const latestFirst = options.flag('latestFirst', false)
  const readLimit: ReadLimit =
    maxFiles !== undefined
      ? { kind: 'max-files', count: maxFiles }
      : maxBytes !== undefined
        ? { kind: 'max-bytes', bytes: maxBytes }
        : { kind: 'all' }
  const maxFileAgeMs = options.durationMs('maxFileAge') ?? 7 * 86_400_000
  return {
    path: folder,
    readLimit,
    latestFirst,
    // with the newest files first, those left behind would grow too old before their turn
    maxFileAgeMs: latestFirst && readLimit.kind !== 'all' ? Number.POSITIVE_INFINITY : maxFileAgeMs,
    fileNameOnly: options.flag('fileNameOnly', false),
    recursive,
    nameFilter: options.text('pathGlobFilter'),
    maxCachedFiles: options.wholeNumber('maxCachedFiles', 0) ?? 10_000,
    discardCachedInputRatio: options.fraction('discardCachedInputRatio', 0, 1) ?? 0.2,
    cleaning: cleaningOf(options, folder),
    ignoreMissingFiles: options.flag('ignoreMissingFiles', false),
    format: { ...formatOptions(format, given), ...(base !== undefined && { path: base }) },
  }
}

/** A stream that leaves out files by the clock would give other rows at a replay. */
function refuseTimes(given: Readonly<Record<string, string>>): void {
  const name = Object.keys(given).find((each) => /^modified(before|after)$/i.test(each))
  if (name === undefined) return
  throw new InvalidQueryError('UNSUPPORTED_OPTION', {
    what: `the option "${name}" is not allowed in file stream sources`,
    todo: 'leave it out; maxFileAge leaves out old files of a stream, and a batch read takes the option',
  })
}

/** The options that are the reader's, under the spelling of the list. */
function formatOptions(format: ReadFormat, given: Readonly<Record<string, string>>): Record<string, string> {
  const spelling = new Map(readOptions[format].map((name) => [name.toLowerCase(), name]))
  return Object.fromEntries(
    Object.entries(given).flatMap(([name, value]) => {
      const spelt = spelling.get(name.toLowerCase())
      return spelt === undefined ? [] : [[spelt, value]]
    }),
  )
}
