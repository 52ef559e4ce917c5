import { basename, dirname, join } from 'node:path'
import { type FileSystem, nodeFileSystem } from './file-system.ts'
import type { FileEntry, Files, StagedFile } from './files.ts'
import { type Random, systemRandom } from './random.ts'

/** Whether a file or folder is a temporary one: it was being made when its process died, or is being made. Hidden to every log. */
export function isTemporary(name: string): boolean {
  return name.startsWith('.') && name.endsWith('.tmp')
}

/** The name that the temporary file `.name.<unique>.tmp` was to get. */
export function temporaryFor(name: string): string {
  return name.slice(1, name.lastIndexOf('.', name.length - 5))
}

/**
 * Files of this machine. A new file is written under a hidden temporary name, synced, and linked to its final one: link, unlike
 * rename, fails where the name is taken, so exactly one of several processes wins. The file system has to know hard links.
 *
 * A folder is durable only when its parent was synced, and a process that was killed between the two leaves a folder that looks
 * fine and is not; so each instance syncs the parents of every folder once, before it puts something durable there.
 */
export class LocalFiles implements Files {
  readonly #fs: FileSystem
  readonly #unique: string
  #count = 0
  /** Folders that exist and whose names are durable, up to the root. */
  #folders = new Map<string, Promise<void>>()

  readonly append?: (path: string, content: string) => Promise<void>

  constructor(fileSystem: FileSystem = nodeFileSystem, random: Random = systemRandom) {
    this.#fs = fileSystem
    if (fileSystem.appendFile) this.append = (path, content) => fileSystem.appendFile!(path, content)
    this.#unique = Buffer.from(random.bytes(6)).toString('hex')
  }

  read(path: string): Promise<Uint8Array> {
    return this.#fs.readFile(path)
  }

  async list(folder: string): Promise<FileEntry[]> {
    try {
      return await this.#fs.list(folder)
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return []
      throw error
    }
  }

  async names(folder: string): Promise<readonly string[]> {
    if (!this.#fs.names) return (await this.list(folder)).map((entry) => entry.name)
    try {
      return await this.#fs.names(folder)
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return []
      throw error
    }
  }

  stat(path: string): Promise<FileEntry | undefined> {
    return this.#fs.stat(path)
  }

  async createExclusive(path: string, content: Uint8Array | string): Promise<boolean> {
    return (await this.stage(path, content)).publish()
  }

  async stage(path: string, content: Uint8Array | string): Promise<StagedFile> {
    const temporary = await this.#writeTemporary(path, content)
    return {
      publish: () => this.#orRemove(temporary, () => this.#publish(temporary, path)),
      drop: () => this.#fs.unlink(temporary).catch(() => {}), // a start removes what a run has left behind
    }
  }
  async #publish(temporary: string, path: string): Promise<boolean> {
    const linked = await this.#link(temporary, path)
    await this.#unlinkIfThere(temporary)
    if (linked) await this.#fs.fsyncFolder(dirname(path))
    return linked
  }

  async create(path: string, content: Uint8Array | string): Promise<void> {
    await this.#writeNew(path, content)
    await Promise.all([this.#fs.fsyncFile(path), this.#fs.fsyncFolder(dirname(path))])
  }

  async replace(path: string, content: Uint8Array | string): Promise<void> {
    const temporary = await this.#writeTemporary(path, content)
    await this.#orRemove(temporary, async () => {
      await this.#fs.rename(temporary, path)
      await this.#fs.fsyncFolder(dirname(path))
    })
  }

  async makeFolder(path: string): Promise<void> {
    if (await this.#isGone(path)) this.#folders.clear()
    await this.#ensureFolder(path)
  }

  async sync(paths: readonly string[]): Promise<void> {
    await Promise.all([...new Set(paths)].map((path) => this.#fs.fsyncFile(path)))
    const folders = [...new Set(paths.map((path) => dirname(path)))]
    await Promise.all(
      folders.map(async (folder) => {
        await this.#ensureFolder(folder)
        await this.#fs.fsyncFolder(folder)
      }),
    )
  }

  async delete(path: string): Promise<void> {
    await this.#unlinkIfThere(path)
  }

  async move(from: string, to: string): Promise<boolean> {
    await this.#ensureFolder(dirname(to))
    if (!(await this.#link(from, to)) && !(await this.#isSameFile(from, to))) return false
    // the new name is durable before the old one goes: no crash can take both
    await this.#fs.fsyncFolder(dirname(to))
    await this.#unlinkIfThere(from)
    await this.#fs.fsyncFolder(dirname(from))
    return true
  }

  /** Writes and syncs a temporary file beside `path`. */
  async #writeTemporary(path: string, content: Uint8Array | string): Promise<string> {
    const temporary = join(dirname(path), `.${basename(path)}.${this.#unique}-${this.#count++}.tmp`)
    await this.#orRemove(temporary, async () => {
      await this.#writeNew(temporary, content)
      await this.#fs.fsyncFile(temporary)
    })
    return temporary
  }
  async #writeNew(path: string, content: Uint8Array | string): Promise<void> {
    const folder = dirname(path)
    await this.#ensureFolder(folder)
    try {
      await this.#fs.writeFile(path, content)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
      // the folder was there and somebody has removed it
      this.#folders.clear()
      await this.#ensureFolder(folder)
      await this.#fs.writeFile(path, content)
    }
  }
  async #orRemove<T>(temporary: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      await this.#fs.unlink(temporary).catch(() => {}) // it may be there or not; the first error is the one to tell
      throw error
    }
  }

  /** False where `to` exists. */
  async #link(from: string, to: string): Promise<boolean> {
    try {
      await this.#fs.link(from, to)
      return true
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false
      // another run has removed our temporary file as litter; that run may have made `to` before it
      if (codeOf(error) === 'ENOENT' && (await this.#fs.stat(to))) return false
      throw error
    }
  }

  /** A move that was killed half-way leaves one file under two names. */
  async #isSameFile(a: string, b: string): Promise<boolean> {
    const [first, second] = await Promise.all([this.#fs.stat(a), this.#fs.stat(b)])
    return first !== undefined && first.fileId === second?.fileId
  }

  async #unlinkIfThere(path: string): Promise<void> {
    try {
      await this.#fs.unlink(path)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
    }
  }

  async #isGone(folder: string): Promise<boolean> {
    return this.#folders.has(folder) && (await this.#fs.stat(folder)) === undefined
  }

  #ensureFolder(folder: string): Promise<void> {
    const known = this.#folders.get(folder)
    if (known) return known
    const made = this.#makeDurable(folder)
    this.#folders.set(folder, made)
    made.catch(() => this.#folders.delete(folder))
    return made
  }

  async #makeDurable(folder: string): Promise<void> {
    const parent = dirname(folder)
    if (parent === folder) return
    await this.#ensureFolder(parent)
    const existed = (await this.#fs.stat(folder)) !== undefined
    if (!existed) {
      await this.#fs.mkdir(folder).catch((error) => {
        if (codeOf(error) !== 'EEXIST') throw error
      })
    }
    try {
      await this.#fs.fsyncFolder(parent)
    } catch (error) {
      // a folder far above, not ours to read, and not made by us
      if (!existed || !['EACCES', 'EPERM', 'EROFS', 'EINVAL'].includes(codeOf(error))) throw error
    }
  }
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown } | undefined)?.code)
}
