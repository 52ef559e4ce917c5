import * as fs from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { FileEntry } from './files.ts'

/** What a file system knows of one file or folder. */
export interface FileStat extends FileEntry {
  /** The same for every name (hard link) of one file, and for no other file that exists now. */
  readonly fileId: string
}

/**
 * The single steps that `LocalFiles` is made of, each of them one change on disk or one fsync, so that a simulation can number,
 * log and interrupt every one. Paths are absolute. Nothing here is durable by itself: content is after `fsyncFile`, a name
 * (made by writeFile, link, rename or mkdir, or taken away by unlink) after `fsyncFolder` of the folder that holds it.
 * All calls reject with the system's own error (`code: 'ENOENT'` …, and the file as `path`).
 */
export interface FileSystem {
  readFile(path: string): Promise<Uint8Array>
  /** The entries of a folder; ENOENT where there is none. */
  list(folder: string): Promise<FileStat[]>
  /** The names in a folder; ENOENT where there is none. Optional: without it they are taken from `list`. */
  names?(folder: string): Promise<readonly string[]>
  stat(path: string): Promise<FileStat | undefined>
  /** Writes a new file; EEXIST where the name is taken. */
  writeFile(path: string, content: Uint8Array | string): Promise<void>
  /** Adds to the end of a file; creates it. Optional, and no step of a simulation: nothing that counts is written so. */
  appendFile?(path: string, content: string): Promise<void>
  fsyncFile(path: string): Promise<void>
  /** A second name for a file; EEXIST where the name is taken. */
  link(from: string, to: string): Promise<void>
  /** Replaces `to`. */
  rename(from: string, to: string): Promise<void>
  unlink(path: string): Promise<void>
  /** One folder; EEXIST where the name is taken, ENOENT where the parent is missing. */
  mkdir(path: string): Promise<void>
  fsyncFolder(folder: string): Promise<void>
}

/** Content above this is written on the thread pool: copying it would hold up this thread. */
const smallWriteBytes = 64 * 1024
/** A long listing lets other work in after so many entries. */
const listSlice = 512

/**
 * The machine's own file system. Steps that only touch the kernel's memory (open, a small write, link, unlink, stat) are done
 * on this thread: they take 3-10 µs, a hop over the thread pool takes 30-60 µs. What waits for the disk (fsync) or copies much
 * goes to the pool.
 */
export const nodeFileSystem: FileSystem = {
  readFile: (path) => readFile(path).catch(naming(path)),
  async list(folder) {
    const entries: FileStat[] = []
    const names = fs.readdirSync(folder)
    for (let i = 0; i < names.length; i++) {
      if (i % listSlice === listSlice - 1) await new Promise(setImmediate)
      const entry = statNow(join(folder, names[i]!), names[i]!)
      if (entry) entries.push(entry) // else somebody removed it meanwhile
    }
    return entries
  },
  names: async (folder) => (fs.statSync(folder).size > largeFolderBytes ? namesInTurns(folder) : fs.readdirSync(folder)),
  stat: async (path) => statNow(path, path.slice(path.lastIndexOf('/') + 1)),
  async writeFile(path, content) {
    try {
      if (content.length <= smallWriteBytes) fs.writeFileSync(path, content, { flag: 'wx' })
      else await fs.promises.writeFile(path, content, { flag: 'wx' })
    } catch (error) {
      naming(path)(error)
    }
  },
  appendFile: async (path, content) => fs.appendFileSync(path, content),
  // Windows flushes only handles that may write
  fsyncFile: (path) => fsyncPath(path, process.platform === 'win32' ? 'r+' : 'r').catch(naming(path)),
  link: async (from, to) => fs.linkSync(from, to),
  rename: async (from, to) => fs.renameSync(from, to),
  unlink: async (path) => fs.unlinkSync(path),
  mkdir: async (path) => fs.mkdirSync(path),
  // Windows has no fsync of a folder: NTFS journals names by itself
  fsyncFolder: (folder) => (process.platform === 'win32' ? Promise.resolve() : fsyncPath(folder, 'r').catch(naming(folder))),
}

/** Throws the error on, with the file in it: what fails on an open file (a full disk, a folder in its place, a broken sector) comes without. */
function naming(path: string): (error: unknown) => never {
  return (error) => {
    if (error instanceof Error && 'syscall' in error && !('path' in error)) Object.assign(error, { path })
    throw error
  }
}

/** A folder of some thousand names: reading it at once would hold up this thread for milliseconds. */
const largeFolderBytes = 128 * 1024
async function namesInTurns(folder: string): Promise<string[]> {
  const names: string[] = []
  for await (const entry of await fs.promises.opendir(folder, { bufferSize: 2048 })) names.push(entry.name)
  return names
}

function statNow(path: string, name: string): FileStat | undefined {
  // a dangling symbolic link is an entry too
  const stat = fs.statSync(path, { throwIfNoEntry: false }) ?? fs.lstatSync(path, { throwIfNoEntry: false })
  if (!stat) return undefined
  return {
    name,
    path,
    isDirectory: stat.isDirectory(),
    sizeBytes: stat.size,
    modifiedMs: stat.mtimeMs,
    fileId: `${stat.dev}:${stat.ino}`,
  }
}

async function fsyncPath(path: string, flags: string): Promise<void> {
  const fd = fs.openSync(path, flags)
  try {
    await new Promise<void>((resolve, reject) => fs.fsync(fd, (error) => (error ? reject(error) : resolve())))
  } finally {
    fs.closeSync(fd)
  }
}
