import { sep as separator } from 'node:path'
import type { CompactibleLog } from '../base/compactible-log.ts'
import type { FileEntry, Files } from '../base/files.ts'
import { expandGlob, isGlob, matchesName } from '../base/glob.ts'
import { liveFiles, openSinkLog, type SinkFileEntry, sinkLogFolder } from '../data/file-sink-log.ts'
import { isHiddenName } from '../data/hidden-names.ts'

/** A file that may be read: `modifiedMs` in whole milliseconds, as the logs keep it. */
export interface FoundFile {
  readonly path: string
  readonly sizeBytes: number
  readonly modifiedMs: number
}
export interface Listing {
  /** A folder, a file or a pattern; absolute. */
  readonly path: string
  readonly recursive: boolean
  /** Which file names count; undefined for all. */
  readonly nameFilter: string | undefined
  readonly files: Files
}

/**
 * Finds the files of a source that are not seen yet, in no particular order. Hidden files are left out; a folder `name=value` is a partition
 * and always entered, others when the listing is recursive. An output folder that has `_spark_metadata` is read through that log.
 * Costs one look at each folder and one at each file that is new.
 */
export class FileLister {
  readonly #listing: Listing
  #sinkLog: { readonly log: CompactibleLog<SinkFileEntry>; readId: number } | undefined

  constructor(listing: Listing) {
    this.#listing = listing
  }

  async unseen(isSeen: (path: string) => boolean): Promise<FoundFile[]> {
    const { path, files } = this.#listing
    if (this.#sinkLog) return this.#fromSinkLog(isSeen)
    if (!isGlob(path)) return this.#fromRoot(path, isSeen)
    const roots = (await expandGlob(path, files)).filter((entry) => !isHidden(entry.name))
    const found = await Promise.all(
      roots.map((root) => (root.isDirectory ? this.#inFolder(root.path, isSeen) : this.#ifWanted(root, isSeen))),
    )
    return found.flat()
  }

  async #fromRoot(path: string, isSeen: (path: string) => boolean): Promise<FoundFile[]> {
    const { files } = this.#listing
    let names: readonly string[]
    try {
      names = await this.#names(path)
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'ENOTDIR') throw error
      const entry = await files.stat(path)
      return entry ? this.#ifWanted({ ...entry, path }, isSeen) : []
    }
    if (!names.includes(sinkLogFolder)) return this.#amongNames(path, names, isSeen)
    this.#sinkLog = { log: await openSinkLog(path, files), readId: -1 }
    return this.#fromSinkLog(isSeen)
  }

  /** The log's new entries only; deletions are of files that were read long ago. */
  async #fromSinkLog(isSeen: (path: string) => boolean): Promise<FoundFile[]> {
    const { log, readId } = this.#sinkLog!
    await log.refresh()
    const entries = await log.readAfter(readId)
    this.#pendingFromLog = [
      ...this.#pendingFromLog,
      ...liveFiles(entries).map(({ path, sizeBytes, modifiedMs }) => ({ path, sizeBytes, modifiedMs })),
    ].filter((file) => !isSeen(file.path) && this.#isWantedName(file.path.slice(file.path.lastIndexOf('/') + 1)))
    this.#sinkLog!.readId = log.latestId
    return this.#pendingFromLog
  }
  /** Files of the log that nobody has taken yet. */
  #pendingFromLog: FoundFile[] = []

  async #inFolder(folder: string, isSeen: (path: string) => boolean): Promise<FoundFile[]> {
    return this.#amongNames(folder, await this.#names(folder), isSeen)
  }

  async #amongNames(folder: string, names: readonly string[], isSeen: (path: string) => boolean): Promise<FoundFile[]> {
    const { files, recursive } = this.#listing
    const unseen: string[] = []
    for (const name of names) {
      if (isHidden(name)) continue
      const mayBeFolder = recursive || name.includes('=')
      const path = folder + separator + name
      if (!isSeen(path) && (mayBeFolder || this.#isWantedName(name))) unseen.push(path)
    }
    const found = await Promise.all(
      unseen.map(async (path) => {
        const entry = await files.stat(path)
        if (entry === undefined) return [] // gone again since the folder was listed
        if (!entry.isDirectory) return this.#ifWanted({ ...entry, path }, isSeen)
        return recursive || entry.name.includes('=') ? this.#inFolder(path, isSeen) : []
      }),
    )
    return found.flat()
  }

  #ifWanted({ name, path, sizeBytes, modifiedMs }: FileEntry, isSeen: (path: string) => boolean): FoundFile[] {
    return !isSeen(path) && this.#isWantedName(name) ? [{ path, sizeBytes, modifiedMs: Math.floor(modifiedMs) }] : []
  }

  #isWantedName(name: string): boolean {
    const { nameFilter } = this.#listing
    return nameFilter === undefined || matchesName(name, nameFilter)
  }

  async #names(folder: string): Promise<readonly string[]> {
    const { files } = this.#listing
    return files.names ? files.names(folder) : (await files.list(folder)).map((entry) => entry.name)
  }
}

/** Files that are not data, or not yet: Spark's rule, and temporary ones besides. */
export function isHidden(name: string): boolean {
  return isHiddenName(name) || name.endsWith('.tmp')
}
