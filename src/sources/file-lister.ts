import { sep as separator } from 'node:path'
import type { CompactibleLog } from '../base/compactible-log.ts'
import type { FileEntry, Files } from '../base/files.ts'
import { expandGlob, isGlob, matchesName } from '../base/glob.ts'
import { nextTurn } from '../base/slices.ts'
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
  /** An output folder is listed, as if it had no log. */
  readonly ignoresSinkLog?: boolean
}

/** What a folder had when it was last listed. */
interface KnownFolder {
  /** Its own time of modification, which every new, renamed or removed name moves. */
  readonly modifiedMs: number
  /** Since when that time is known, in the lister's own milliseconds. */
  readonly sinceMs: number
  /** The listing began so long after the time was first seen that a later change must have another time. */
  readonly isComplete: boolean
  unseen: readonly FoundFile[]
  readonly folders: readonly string[]
}
/** Times of folders move in steps: 4 ms on most file systems, 1 or 2 s on old and on some network ones. */
const settledMs = 2500
/** About 2 ms of work: a look at a name counts 1, one at a file 10. */
const sliceWork = 5000
const statWork = 10

/**
 * Finds the files of a source that are not seen yet, in no particular order. Hidden files are left out; a folder `name=value` is a partition
 * and always entered, as are those in it, others when the listing is recursive. An output folder that has `_spark_metadata` is read through that log.
 * Costs one look at each folder that has not changed, one at each name of the others, and one at each file that is new.
 */
export class FileLister {
  readonly #listing: Listing
  readonly #folders = new Map<string, KnownFolder>()
  #sinkLog: { readonly log: CompactibleLog<SinkFileEntry>; readId: number } | undefined

  constructor(listing: Listing) {
    this.#listing = listing
  }

  async unseen(isSeen: (path: string) => boolean): Promise<FoundFile[]> {
    const { path, files } = this.#listing
    if (this.#sinkLog) return this.#fromSinkLog(isSeen)
    if (!isGlob(path)) return this.#fromRoot(path, isSeen)
    const roots = (await expandGlob(path, files)).filter((entry) => !isHidden(entry.name))
    const found: FoundFile[] = []
    for (const root of roots) await (root.isDirectory ? this.#inFolder(root, isSeen, found) : this.#ifWanted(root, isSeen, found))
    return found
  }

  async #fromRoot(path: string, isSeen: (path: string) => boolean): Promise<FoundFile[]> {
    const { files, ignoresSinkLog } = this.#listing
    const found: FoundFile[] = []
    const root = await files.stat(path)
    if (root === undefined) return found
    if (!root.isDirectory) this.#ifWanted({ ...root, path }, isSeen, found)
    else if (!ignoresSinkLog && (await files.stat(path + separator + sinkLogFolder))) {
      this.#sinkLog = { log: await openSinkLog(path, files), readId: -1 }
      return this.#fromSinkLog(isSeen)
    } else await this.#inFolder({ ...root, path }, isSeen, found)
    return found
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

  /** Adds the unseen files of a folder and of those below it that count. */
  async #inFolder(
    { path, modifiedMs }: FileEntry,
    isSeen: (path: string) => boolean,
    found: FoundFile[],
    entersAll = this.#listing.recursive,
  ): Promise<void> {
    const { files } = this.#listing
    const before = this.#folders.get(path)
    // real time, as it is held against the file system's
    const nowMs = performance.now()
    const isKnown = before?.modifiedMs === modifiedMs
    if (isKnown && before.isComplete) {
      before.unseen = before.unseen.filter((file) => !isSeen(file.path))
      for (const file of before.unseen) found.push(file)
    } else {
      const listing = await this.#listFolder(path, isSeen, entersAll)
      for (const file of listing.unseen) found.push(file)
      const sinceMs = isKnown ? before.sinceMs : nowMs
      this.#folders.set(path, { modifiedMs, sinceMs, isComplete: isKnown && nowMs - sinceMs >= settledMs, ...listing })
    }
    for (const folder of this.#folders.get(path)!.folders) {
      const entry = await files.stat(folder)
      // below its root a listing enters partitions, and whatever is in them
      if (entry?.isDirectory) await this.#inFolder({ ...entry, path: folder }, isSeen, found, true)
      else this.#folders.delete(folder)
    }
  }

  /** Looks at every name, and at every file that is new; a few hundred at a stretch. */
  async #listFolder(
    folder: string,
    isSeen: (path: string) => boolean,
    entersAll: boolean,
  ): Promise<{ unseen: FoundFile[]; folders: string[] }> {
    const { files } = this.#listing
    const unseen: FoundFile[] = []
    const folders: string[] = []
    let work = 0
    for (const name of await this.#names(folder)) {
      if (++work > sliceWork) {
        work = 0
        await nextTurn()
      }
      if (isHidden(name)) continue
      const mayBeFolder = entersAll || name.includes('=')
      const path = folder + separator + name
      if (isSeen(path) || !(mayBeFolder || this.#isWantedName(name))) continue
      work += statWork
      const entry = await files.stat(path)
      if (entry === undefined) continue // gone again since the folder was listed
      if (!entry.isDirectory) this.#ifWanted({ ...entry, path }, isSeen, unseen)
      else if (mayBeFolder) folders.push(path)
    }
    return { unseen, folders }
  }

  #ifWanted({ name, path, sizeBytes, modifiedMs }: FileEntry, isSeen: (path: string) => boolean, found: FoundFile[]): void {
    if (!isSeen(path) && this.#isWantedName(name)) found.push({ path, sizeBytes, modifiedMs: Math.floor(modifiedMs) })
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
