/** One entry of a folder. */
export interface FileEntry {
  readonly name: string
  readonly path: string
  readonly isDirectory: boolean
  readonly sizeBytes: number
  /** Last modification, milliseconds since 1970 (fractions kept). */
  readonly modifiedMs: number
}

/**
 * The little that Millrace asks of a file system, so that an object store can stand behind it.
 * Paths are absolute. A file that was created through this interface is whole and durable once the call has resolved:
 * no reader ever sees a part of it. All calls reject with the system's own error (`code: 'ENOENT'` …) unless stated otherwise.
 */
export interface Files {
  /** The whole file. */
  read(path: string): Promise<Uint8Array>
  /** The entries of a folder, in no particular order; none where the folder does not exist. */
  list(folder: string): Promise<FileEntry[]>
  /** The names in a folder, without a look at each entry: much cheaper than `list` where most are known already. Optional. */
  names?(folder: string): Promise<readonly string[]>
  /** One file or folder, or undefined where there is none. */
  stat(path: string): Promise<FileEntry | undefined>
  /** Creates the file, durably, unless it exists: then false, and the file is as it was. Creates missing folders. */
  createExclusive(path: string, content: Uint8Array | string): Promise<boolean>
  /** Creates or replaces the file atomically and durably. For caches and leases, never for logs. */
  replace(path: string, content: Uint8Array | string): Promise<void>
  /** Adds to the end of a file in a folder that exists; creates the file. Not durable, and a crash may leave a part of it. Optional. */
  append?(path: string, content: string): Promise<void>
  /** Creates a folder and its parents, durably. */
  makeFolder(path: string): Promise<void>
  /** Makes files durable that somebody else wrote (DuckDB), with the folders that hold them. */
  sync(paths: readonly string[]): Promise<void>
  /** Removes a file; nothing happens where there is none. Need not be durable. */
  delete(path: string): Promise<void>
  /** Moves a file durably, replacing nothing: false where the target exists. */
  move(from: string, to: string): Promise<boolean>
}
