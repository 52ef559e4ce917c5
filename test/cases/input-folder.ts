import { mkdir, mkdtemp, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execute, type StreamAction } from 'millrace/testing'
import { afterAll } from 'vitest'

const folders: string[] = []
/** Registers the removal of all input folders of a file of cases; gives the function that makes one. */
export function useInputFolders(): () => Promise<InputFolder> {
  afterAll(async () => {
    for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true })
  })
  return async () => {
    const path = await mkdtemp(join(tmpdir(), 'millrace-case-'))
    folders.push(path)
    await mkdir(join(path, 'in'))
    return new InputFolder(path)
  }
}

/** A folder whose files arrive whole, each a second newer than the one before. */
export class InputFolder {
  /** Where the files are. */
  readonly path: string
  readonly #root: string
  #mtimeS = 1_700_000_000
  #count = 0
  constructor(root: string) {
    this.#root = root
    this.path = join(root, 'in')
  }
  /** A path beside the input: an output, a checkpoint. */
  beside(name: string): string {
    return join(this.#root, name)
  }
  /** Adds a file; the name may have folders. Gives its path. */
  async add(content: string, name = `file-${++this.#count}.txt`, mtimeS = ++this.#mtimeS): Promise<string> {
    const path = join(this.path, name)
    const arriving = join(this.#root, 'arriving')
    await writeFile(arriving, content)
    await utimes(arriving, mtimeS, mtimeS)
    await mkdir(join(path, '..'), { recursive: true })
    await rename(arriving, path)
    return path
  }
  /** An action that adds a file. */
  adding(content: string, name?: string): StreamAction {
    return execute('add a file', async () => void (await this.add(content, name)))
  }
}
