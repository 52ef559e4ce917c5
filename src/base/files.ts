/** One entry of a folder. */
export interface FileEntry {
  readonly name: string
  readonly path: string
  readonly isDirectory: boolean
  readonly sizeBytes: number
  /** Last modification, milliseconds since 1970 (fractions kept). */
  readonly modifiedMs: number
}

/** A file without its name. One of the two must be called, once. */
export interface StagedFile {
  /** The second half of `createExclusive`. */
  publish(): Promise<boolean>
  /** Lets it go. Never rejects. */
  drop(): Promise<void>
}

/**
 * The little that Millrace asks of a file system, so that an object store can stand behind it.
 * Paths are absolute. A file that was created through this interface is whole and durable once the call has resolved:
 * no reader ever sees a part of it, unless stated otherwise. All calls reject with the system's own error (`code: 'ENOENT'` …) unless stated otherwise.
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
  /** The first half of `createExclusive`: content that is durable under no name yet. Creates missing folders. */
  stage(path: string, content: Uint8Array | string): Promise<StagedFile>
  /**
   * Creates a file that nothing names yet, durably; rejects with `EEXIST` where it exists. Until the call resolves, and after one that did not,
   * a part of it may be seen: only for files that count because another file names them. One wait for the disk less than `createExclusive`.
   */
  create(path: string, content: Uint8Array | string): Promise<void>
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
