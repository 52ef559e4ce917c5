/** The files of a bounded table: by path, pattern or folder, with the partition columns that the folders' names give. */
import { InvalidQueryError } from '../base/errors.ts'
import type { FileEntry, Files } from '../base/files.ts'
import { expandGlob, isGlob, matchesName } from '../base/glob.ts'
import { refuseDeltaRead } from '../data/delta-folder.ts'
import { basePathOf } from '../data/file-options.ts'
import { filesOfSinkLog } from '../data/file-sink-log.ts'
import { absolutePath } from '../data/file-uri.ts'
import { isHiddenName } from '../data/hidden-names.ts'
import type { Schema } from '../data/schema.ts'
import { hiveNull } from './hive-path.ts'
import { FormatOptions, invalidOption } from './options.ts'
import type { InputFile } from './read-request.ts'

export interface TableFiles {
  readonly files: readonly InputFile[]
  /** Columns of the schema that every file's path gives as `name=value`. */
  readonly partitions: readonly string[]
}

/** Which files of a bounded table count. */
export interface TableListing {
  /** What they are read as. */
  readonly format: string
  readonly recursive: boolean
  readonly nameFilter: string | undefined
  /** Milliseconds since 1970: files modified before, at or after, that are left out. */
  readonly beforeMs: number
  readonly afterMs: number
  /** Output folders of streaming queries are listed, as if they had no log. */
  readonly ignoresSinkLogs: boolean
}

/**
 * Lists what `paths` name, sorted by path. Folders below are entered where they are partitions (`name=value`) or lie in one, or all of them
 * with `recursive`. InvalidQueryError PATH_NOT_FOUND where a path names nothing, DELTA_INVALID_FORMAT where it is a Delta table.
 */
export async function listTableFiles(files: Files, paths: readonly string[], listing: TableListing): Promise<InputFile[]> {
  const found = new Map<string, FoundFile>()
  for (const path of paths.map(absolutePath)) {
    if (!isGlob(path)) await refuseDeltaRead(path, listing.format, files)
    for (const file of await filesOf(files, path, listing)) found.set(file.path, file)
  }
  return [...found.values()]
    .filter(({ name, modifiedMs }) => {
      const inTime = modifiedMs < listing.beforeMs && modifiedMs > listing.afterMs
      return inTime && (listing.nameFilter === undefined || matchesName(name, listing.nameFilter))
    })
    .sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))
}

export function tableListing(format: string, options: Readonly<Record<string, string>>, ignoresSinkLogs = false): TableListing {
  const given = new FormatOptions(options)
  return {
    format,
    recursive: given.flag('recursiveFileLookup', false),
    nameFilter: given.text('pathGlobFilter'),
    beforeMs: timeOption(given, 'modifiedBefore') ?? Number.POSITIVE_INFINITY,
    afterMs: timeOption(given, 'modifiedAfter') ?? Number.NEGATIVE_INFINITY,
    ignoresSinkLogs,
  }
}
/** `2020-06-01T13:00:00`, in UTC unless the option timeZone names another zone by its offset. */
function timeOption(options: FormatOptions, name: string): number | undefined {
  const value = options.text(name)
  if (value === undefined) return undefined
  const zone = options.zoneOffset() ?? 'Z'
  const iso = /^\d{4}-\d{2}-\d{2}$/.test(value) ? `${value}T00:00:00` : value.replace(' ', 'T')
  const ms = Date.parse(/(Z|[+-]\d{2}:\d{2})$/.test(iso) ? iso : `${iso}${zone}`)
  if (Number.isNaN(ms)) throw invalidOption(name, value, 'give a time such as 2020-06-01T13:00:00')
  return ms
}

/** Where partitions begin: in the folder of the option basePath, otherwise in each path. With recursiveFileLookup no folder is a partition, as in Spark. */
export function partitionBases(paths: readonly string[], options: Readonly<Record<string, string>>): readonly string[] {
  const base = basePathOf(options, paths)
  if (new FormatOptions(options).flag('recursiveFileLookup', false)) return []
  return base === undefined ? paths : [base]
}

/** Which columns of the schema come from folders `name=value/` between the bases and the files. A base that is a pattern ends where it does. InvalidQueryError CONFLICTING_PARTITION_COLUMN_NAMES, CONFLICTING_DIRECTORY_STRUCTURES where only some of the files lie in such a folder. */
export function partitionsOf(found: readonly InputFile[], bases: readonly string[], schema: Schema): string[] {
  const roots = bases.map(absolutePath)
  const files = new Map<string, InputFile[]>()
  for (const file of bases.length === 0 ? [] : found) {
    const below = belowBase(file.path, roots)
    if (!below.includes('=')) continue
    for (const name of new Set(folderParts(below).map(([name]) => name))) {
      const those = files.get(name)
      if (those) those.push(file)
      else files.set(name, [file])
    }
  }
  return schema.names.filter((name) => {
    const within = files.get(name)
    if (within !== undefined && within.length < found.length) throw conflicting(name, within, found, found.length === countIn(files))
    return within !== undefined
  })
}

/** How many files lie in a partition's folder. */
function countIn(files: ReadonlyMap<string, readonly InputFile[]>): number {
  return new Set([...files.values()].flat()).size
}
function conflicting(name: string, within: readonly InputFile[], found: readonly InputFile[], allInSome: boolean): InvalidQueryError {
  const others = new Set(within)
  return new InvalidQueryError(allInSome ? 'CONFLICTING_PARTITION_COLUMN_NAMES' : 'CONFLICTING_DIRECTORY_STRUCTURES', {
    what: `${within[0]!.path} lies in a folder ${name}=…, and ${found.find((file) => !others.has(file))!.path} does not`,
    todo: 'read the two apart, each with its own path, and unite them; or write each into a folder of its own',
  })
}

/** What the folders `name=value/` between the bases and each file say, in the folders' order; null for the folder of nulls. Errors as of partitionsOf, for any name. */
export function partitionValues(found: readonly InputFile[], bases: readonly string[]): [name: string, value: string | null][][] {
  const roots = bases.map(absolutePath)
  const values = found.map(({ path }) => (roots.length === 0 ? [] : folderParts(belowBase(path, roots))))
  for (const name of new Set(values.flat().map(([name]) => name))) {
    const within = found.filter((_, i) => values[i]!.some(([other]) => other === name))
    if (within.length < found.length) {
      throw conflicting(
        name,
        within,
        found,
        values.every((parts) => parts.length > 0),
      )
    }
  }
  return values
}

/** The path from its base on; of a file that is a base itself, its name. */
function belowBase(path: string, roots: readonly string[]): string {
  const root = roots.find((each) => path.startsWith(`${each}/`))
  if (root !== undefined) return path.slice(root.length + 1)
  const steps = path.split('/')
  const depth = Math.max(0, ...roots.map((each) => each.split('/').length).filter((count) => count <= steps.length))
  return steps.slice(Math.min(depth, steps.length - 1)).join('/')
}
function folderParts(path: string): [name: string, value: string | null][] {
  return path
    .split('/')
    .slice(0, -1)
    .flatMap((part) => {
      const at = part.indexOf('=')
      const value = part.slice(at + 1)
      return at > 0 ? [[decode(part.slice(0, at)), value === hiveNull ? null : decode(value)]] : []
    })
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

type FoundFile = InputFile & { readonly name: string; readonly modifiedMs: number }

async function filesOf(files: Files, path: string, listing: TableListing): Promise<FoundFile[]> {
  const entry = await files.stat(path)
  if (entry) return entry.isDirectory ? filesOfFolder(files, path, listing) : [fileOf(entry)]
  if (!/[*?[{]/.test(path)) throw notFound(path)
  const matches = await expandGlob(path, files, isHiddenName)
  if (matches.length === 0) throw notFound(path)
  const found: FoundFile[] = []
  for (const match of matches) found.push(...(match.isDirectory ? await filesOfFolder(files, match.path, listing) : [fileOf(match)]))
  return found
}

/** A folder that a streaming query writes lists its files in a log: they alone count, whatever else a crash left there. */
async function filesOfFolder(files: Files, folder: string, listing: TableListing, inPartition = false): Promise<FoundFile[]> {
  const logged = listing.ignoresSinkLogs ? undefined : await filesOfSinkLog(folder, files)
  if (logged) return logged.map((entry) => fileOf({ ...entry, name: entry.path.slice(entry.path.lastIndexOf('/') + 1) }))
  const found: FoundFile[] = []
  for (const entry of await files.list(folder)) {
    if (isHiddenName(entry.name)) continue
    if (!entry.isDirectory) found.push(fileOf(entry))
    else if (listing.recursive || inPartition || entry.name.includes('='))
      found.push(...(await filesOfFolder(files, entry.path, listing, true)))
  }
  return found
}
function fileOf({ name, path, sizeBytes, modifiedMs }: Omit<FileEntry, 'isDirectory'>): FoundFile {
  return { name, path, sizeBytes, modifiedMs }
}

function notFound(path: string): InvalidQueryError {
  return new InvalidQueryError('PATH_NOT_FOUND', { what: `${path} is not there`, todo: 'check the path; a pattern has to match a file' })
}
