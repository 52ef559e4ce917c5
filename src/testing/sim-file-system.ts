import * as fs from 'node:fs'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { type FileStat, type FileSystem, nodeFileSystem } from '../base/file-system.ts'
import { isTemporary, temporaryFor } from '../base/local-files.ts'

/** One numbered step. */
export interface SimOperation {
  /** From 1 up, over the life of the simulated disk. */
  readonly number: number
  readonly kind: 'write' | 'fsync' | 'link' | 'rename' | 'unlink' | 'mkdir' | 'fsync-folder'
  /** Relative to the root. */
  readonly path: string
  /** `link offsets/.0.tmp -> offsets/0`; the unique part of temporary names is left out, so that two runs can be compared. */
  readonly label: string
}

/** Where the simulated process dies: at a numbered step, or at the first one for which `matches` says so. */
export type CrashPoint =
  | { readonly operation: number; readonly when: 'before' | 'after' }
  | { readonly matches: (operation: SimOperation) => boolean; readonly when: 'before' | 'after' }

/** What a loss of power makes of everything that was not synced. */
export interface Loss {
  /**
   * A file whose content was not synced is gone, or there with nothing in it, its first half, all but its last byte, or as many zeros
   * as it had bytes. One that was synced and then changed has its synced content, followed by so much of what was appended.
   */
  readonly unsynced: 'drop' | 'tear-0' | 'tear-half' | 'tear-last' | 'zero'
  /**
   * Names that were made or taken away and whose folder was not synced after: undone, or kept. With a seed each folder is
   * one or the other, so that what was done in two folders may arrive in any order.
   */
  readonly entries: 'undo' | 'keep' | { readonly seed: number }
}

/** What a loss of power did to one path. */
export interface LossEffect {
  /** Relative to the root. */
  readonly path: string
  /** `gone` and `back` are names, `torn` is content. */
  readonly effect: 'gone' | 'back' | 'torn'
}

/** The simulated process is dead: this call and every later one through the same object rejects with it. */
export class SimulatedCrash extends Error {
  override readonly name = 'SimulatedCrash'
}

/**
 * The FileSystem of one simulated process over a real folder. Every durable step below the root is numbered and logged, one at a
 * time in the order of the calls, and the process can be made to die before or after any of them.
 *
 * The disk remembers what was synced: of each file its content at the last fsync, of each folder its names at the last fsync. What
 * others (DuckDB) have written below the root is on the real folder and was never synced. After a crash, with everything closed that
 * still has files open below the root, `restart` gives the next process what it would find after a kill (everything), and
 * `losePower` what it would find after a loss of power.
 *
 * All that lies below the root when the simulation begins counts as synced. What a test adds later on its own (input files) has to be
 * declared with `settle`, or it is lost.
 */
export class SimFileSystem implements FileSystem {
  readonly #disk: SimDisk
  #crashPoint: CrashPoint | undefined
  #isDead = false
  #slow: { readonly matches: (path: string) => boolean; readonly delayMs: number } | undefined

  constructor(root: string | SimDisk) {
    this.#disk = typeof root === 'string' ? new SimDisk(root) : root
  }

  /** All numbered steps since the simulation began. */
  get trace(): readonly SimOperation[] {
    return this.#disk.trace
  }
  get operations(): number {
    return this.#disk.trace.length
  }
  get isDead(): boolean {
    return this.#isDead
  }

  /** Lets this process die at a step. `matches` is asked once for each step, in their order. */
  crashAt(point: CrashPoint): void {
    this.#crashPoint = point
  }

  /** Lets every step on matching paths (relative to the root) wait so long before it takes its turn, as a slow disk would: what does not wait for it goes first. */
  slowDown(matches: (path: string) => boolean, delayMs: number): void {
    this.#slow = { matches, delayMs }
  }

  /** Lets this process die now. */
  kill(): void {
    this.#isDead = true
  }

  /** Declares all that is below the root durable. */
  settle(): Promise<void> {
    return this.#disk.exclusively(async () => this.#disk.settle())
  }

  /** The next process on the same disk, after this one was killed: nothing is lost, and what was not synced is still not synced. */
  async restart(): Promise<SimFileSystem> {
    this.#isDead = true
    await this.#disk.exclusively(async () => {})
    return new SimFileSystem(this.#disk)
  }

  /** Rewrites the real folder to what is left after a loss of power. This process is dead afterwards; `restart` gives the next one. */
  losePower(loss: Loss): Promise<LossEffect[]> {
    this.#isDead = true
    return this.#disk.exclusively(async () => this.#disk.losePower(loss))
  }

  readFile(path: string): Promise<Uint8Array> {
    return this.#read(() => nodeFileSystem.readFile(path))
  }
  list(folder: string): Promise<FileStat[]> {
    return this.#read(() => nodeFileSystem.list(folder))
  }
  stat(path: string): Promise<FileStat | undefined> {
    return this.#read(() => nodeFileSystem.stat(path))
  }
  writeFile(path: string, content: Uint8Array | string): Promise<void> {
    return this.#step('write', path, undefined, async () => {
      await nodeFileSystem.writeFile(path, content)
      this.#disk.created(path)
    })
  }
  fsyncFile(path: string): Promise<void> {
    return this.#step('fsync', path, undefined, async () => this.#disk.syncFile(path))
  }
  link(from: string, to: string): Promise<void> {
    return this.#step('link', from, to, () => nodeFileSystem.link(from, to))
  }
  rename(from: string, to: string): Promise<void> {
    return this.#step('rename', from, to, async () => {
      this.#disk.beforeRemoval(to)
      await nodeFileSystem.rename(from, to)
    })
  }
  unlink(path: string): Promise<void> {
    return this.#step('unlink', path, undefined, async () => {
      this.#disk.beforeRemoval(path)
      await nodeFileSystem.unlink(path)
    })
  }
  mkdir(path: string): Promise<void> {
    return this.#step('mkdir', path, undefined, async () => {
      await nodeFileSystem.mkdir(path)
      this.#disk.created(path)
    })
  }
  fsyncFolder(folder: string): Promise<void> {
    return this.#step('fsync-folder', folder, undefined, async () => this.#disk.syncFolder(folder))
  }

  #read<T>(read: () => Promise<T>): Promise<T> {
    return this.#disk.exclusively(async () => {
      this.#refuseDead()
      return read()
    })
  }

  async #step(kind: SimOperation['kind'], path: string, to: string | undefined, act: () => Promise<void>): Promise<void> {
    if (this.#slow?.matches(relative(this.#disk.root, path))) await new Promise((resolve) => setTimeout(resolve, this.#slow!.delayMs))
    return this.#disk.exclusively(async () => {
      this.#refuseDead()
      const isBelow = this.#disk.isBelow(path) || (to !== undefined && this.#disk.isBelow(to))
      if (!isBelow) {
        // folders above the root are durable as far as the simulation goes
        if (kind === 'fsync-folder') return
        throw new Error(`the simulation of ${this.#disk.root} was asked to ${kind} ${path}`)
      }
      const operation = this.#disk.operation(kind, path, to)
      const point = this.#crashPoint && isAt(this.#crashPoint, operation) ? this.#crashPoint.when : undefined
      if (point === 'before') this.#die(operation)
      try {
        await act()
      } finally {
        // one that fails (EEXIST) is a step too: the numbers must not depend on how it ends
        this.#disk.trace.push(operation)
        if (point === 'after') this.#die(operation)
      }
    })
  }

  #die(operation: SimOperation): never {
    this.#isDead = true
    throw new SimulatedCrash(`simulated crash ${this.#crashPoint!.when} operation ${operation.number} (${operation.label})`)
  }

  #refuseDead(): void {
    if (this.#isDead) throw new SimulatedCrash('the simulated process is dead')
  }
}

function isAt(point: CrashPoint, operation: SimOperation): boolean {
  return 'matches' in point ? point.matches(operation) : point.operation === operation.number
}

/** A file: its content at its last fsync. `on-disk` where it was durable when the simulation began and need not be held in memory. */
interface SimFile {
  readonly kind: 'file'
  synced: { readonly content: Uint8Array; readonly modifiedMs: number } | 'on-disk' | undefined
}
/** A folder: its names at its last fsync. */
interface SimFolder {
  readonly kind: 'folder'
  names: ReadonlyMap<string, SimNode>
}
/** Stands for an inode. */
type SimNode = SimFile | SimFolder

/** What is to be at a path after the power came back. */
type Target =
  | { readonly kind: 'folder' }
  | { readonly kind: 'file'; readonly content: Uint8Array | 'as-it-is'; readonly modifiedMs?: number }

class SimDisk {
  readonly root: string
  readonly trace: SimOperation[] = []
  #last: Promise<unknown> = Promise.resolve()
  /** By the inode of the real file. */
  #nodes = new Map<string, SimNode>()
  /** File systems that keep no birth time give something else for it that changes. */
  readonly #hasBirthTime: boolean

  constructor(root: string) {
    this.root = resolve(root)
    fs.mkdirSync(this.root, { recursive: true })
    this.#hasBirthTime = keepsBirthTime(this.root)
    this.settle()
  }

  /** Runs `work` after all that was asked for before. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work)
    this.#last = mine.catch(() => {})
    return mine
  }

  isBelow(path: string): boolean {
    return path === this.root || path.startsWith(this.root + sep)
  }

  /** The next step. */
  operation(kind: SimOperation['kind'], path: string, to: string | undefined): SimOperation {
    const label = `${kind} ${this.#label(path)}${to === undefined ? '' : ` -> ${this.#label(to)}`}`
    return { number: this.trace.length + 1, kind, path: this.#relative(path), label }
  }

  /** A new file or folder: whatever had its inode before is another one. */
  created(path: string): void {
    const stat = fs.lstatSync(path, { bigint: true })
    this.#nodes.set(this.#inode(stat), stat.isDirectory() ? { kind: 'folder', names: new Map() } : { kind: 'file', synced: undefined })
  }

  syncFile(path: string): void {
    const node = this.#nodeAt(path)
    if (node.kind === 'file') node.synced = readContent(path)
  }

  syncFolder(folder: string): void {
    const node = this.#nodeAt(folder)
    if (node.kind === 'folder') node.names = this.#namesNow(folder)
    else throw Object.assign(new Error(`ENOTDIR: not a directory, fsync '${folder}'`), { code: 'ENOTDIR' })
  }

  /** A name that goes may come back: then its content has to be there. */
  beforeRemoval(path: string): void {
    if (!fs.lstatSync(path, { throwIfNoEntry: false })?.isFile()) return
    const node = this.#nodeAt(path)
    if (node.kind === 'file' && node.synced === 'on-disk') node.synced = readContent(path)
  }

  settle(): void {
    this.#settleFolder(this.root)
  }

  losePower(loss: Loss): LossEffect[] {
    const before = this.#pathsNow()
    const anyPathOf = new Map([...before].map(([path, node]) => [node, path]))
    const livePathOf = (node: SimNode, path: string) => (before.get(path) === node ? path : anyPathOf.get(node))
    const target = new Map<string, Target>()
    this.#planFolder(this.root, this.#nodeAt(this.root) as SimFolder, this.root, loss, livePathOf, target)
    const effects = this.#rewrite(new Set(before.keys()), target)
    this.#nodes = new Map()
    this.settle()
    return effects
  }

  /** Fills `target` with what stays below one folder. `live` is where the folder is now, if it is. */
  #planFolder(
    path: string,
    folder: SimFolder,
    live: string | undefined,
    loss: Loss,
    livePathOf: (node: SimNode, path: string) => string | undefined,
    target: Map<string, Target>,
  ): void {
    const names = live !== undefined && keepsNames(loss, this.#relative(path)) ? this.#namesNow(live) : folder.names
    for (const [name, node] of names) {
      const child = join(path, name)
      if (node.kind === 'folder') {
        target.set(child, { kind: 'folder' })
        this.#planFolder(child, node, livePathOf(node, child), loss, livePathOf, target)
      } else {
        const file = remains(node, livePathOf(node, child), child, loss)
        if (file) target.set(child, file)
      }
    }
  }

  #rewrite(before: ReadonlySet<string>, target: ReadonlyMap<string, Target>): LossEffect[] {
    const effects: LossEffect[] = []
    const note = (path: string, effect: LossEffect['effect']) => effects.push({ path: this.#relative(path), effect })
    // deepest first, so that folders are empty when they go
    for (const path of [...before].sort((a, b) => b.length - a.length)) {
      if (target.has(path)) continue
      fs.rmSync(path, { recursive: true, force: true })
      note(path, 'gone')
    }
    // shortest first, so that a folder is there before what is in it
    for (const [path, each] of [...target].sort(([a], [b]) => a.length - b.length)) {
      const isNew = !before.has(path)
      if (isNew) note(path, 'back')
      if (each.kind === 'folder') {
        fs.mkdirSync(path, { recursive: true })
        continue
      }
      if (each.content === 'as-it-is') continue
      // a new inode: another name of the old one keeps what it has
      if (!isNew) {
        fs.rmSync(path)
        note(path, 'torn')
      }
      fs.writeFileSync(path, each.content)
      if (each.modifiedMs !== undefined) fs.utimesSync(path, each.modifiedMs / 1000, each.modifiedMs / 1000)
    }
    return effects.sort((a, b) => (a.path < b.path ? -1 : 1))
  }

  /** Every path below the root as it now is. */
  #pathsNow(): Map<string, SimNode> {
    const paths = new Map<string, SimNode>()
    const walk = (folder: string) => {
      for (const [name, node] of this.#namesNow(folder)) {
        paths.set(join(folder, name), node)
        if (node.kind === 'folder') walk(join(folder, name))
      }
    }
    walk(this.root)
    return paths
  }

  #namesNow(folder: string): Map<string, SimNode> {
    return new Map(
      fs
        .readdirSync(folder)
        .sort()
        .map((name) => [name, this.#nodeAt(join(folder, name))]),
    )
  }

  /** What is at a path, also where somebody else has made it. */
  #nodeAt(path: string): SimNode {
    const stat = fs.lstatSync(path, { bigint: true })
    const inode = this.#inode(stat)
    const known = this.#nodes.get(inode)
    if (known && (known.kind === 'folder') === stat.isDirectory()) return known
    const node: SimNode = stat.isDirectory() ? { kind: 'folder', names: new Map() } : { kind: 'file', synced: undefined }
    this.#nodes.set(inode, node)
    return node
  }

  #settleFolder(folder: string): void {
    const names = this.#namesNow(folder)
    const node = this.#nodeAt(folder) as SimFolder
    node.names = names
    for (const [name, child] of names) {
      if (child.kind === 'folder') this.#settleFolder(join(folder, name))
      else child.synced = 'on-disk'
    }
  }

  /** An inode's number is given out anew after its file is gone; its birth time is not. */
  #inode(stat: fs.BigIntStats): string {
    return this.#hasBirthTime ? `${stat.ino}:${stat.birthtimeNs}` : String(stat.ino)
  }

  #relative(path: string): string {
    return relative(this.root, path) || '.'
  }

  #label(path: string): string {
    const name = basename(path)
    return isTemporary(name) ? this.#relative(join(dirname(path), `.${temporaryFor(name)}.tmp`)) : this.#relative(path)
  }
}

/** What is left of a file under `path`. */
function remains(file: SimFile, live: string | undefined, path: string, loss: Loss): Target | undefined {
  if (file.synced === 'on-disk') {
    // durable from the start; removed by somebody else than the simulated process, it stays removed
    if (live === undefined) return undefined
    return live === path ? { kind: 'file', content: 'as-it-is' } : { kind: 'file', ...readContent(live) }
  }
  const now = live === undefined ? undefined : fs.readFileSync(live)
  if (file.synced === undefined) {
    const torn = now === undefined ? undefined : tear(now, loss.unsynced)
    return torn && { kind: 'file', content: torn }
  }
  const { content, modifiedMs } = file.synced
  if (now === undefined) return { kind: 'file', content, modifiedMs }
  if (live === path && Buffer.compare(now, content) === 0) return { kind: 'file', content: 'as-it-is' }
  const appended = now.length > content.length && Buffer.compare(now.subarray(0, content.length), content) === 0
  const tail = appended ? tear(now.subarray(content.length), loss.unsynced) : undefined
  return { kind: 'file', content: tail ? Buffer.concat([content, tail]) : content, modifiedMs }
}

function tear(content: Uint8Array, how: Loss['unsynced']): Uint8Array | undefined {
  if (how === 'drop') return undefined
  if (how === 'zero') return new Uint8Array(content.length)
  const length = how === 'tear-0' ? 0 : how === 'tear-half' ? Math.floor(content.length / 2) : Math.max(0, content.length - 1)
  return Uint8Array.from(content.subarray(0, length))
}

function keepsNames({ entries }: Loss, path: string): boolean {
  if (entries === 'undo' || entries === 'keep') return entries === 'keep'
  let hash = entries.seed | 0
  for (const char of path) hash = Math.imul(hash ^ char.charCodeAt(0), 0x9e3779b1) ^ (hash >>> 15)
  return Math.imul(hash ^ (hash >>> 13), 0x85ebca6b) >>> 31 === 1
}

function readContent(path: string): { readonly content: Uint8Array; readonly modifiedMs: number } {
  return { content: fs.readFileSync(path), modifiedMs: fs.statSync(path).mtimeMs }
}

/** Whether a second name changes a file's birth time: then it is the time of its last change that is given for it. */
function keepsBirthTime(root: string): boolean {
  const [first, second] = [join(root, '.birth-time-1.tmp'), join(root, '.birth-time-2.tmp')]
  fs.writeFileSync(first, '')
  try {
    const born = fs.statSync(first, { bigint: true })
    // the kernel's clock for files may tick only every few milliseconds
    for (let end = Date.now() + 50; Date.now() < end; ) {
      fs.linkSync(first, second)
      fs.unlinkSync(second)
      const now = fs.statSync(first, { bigint: true })
      if (now.ctimeNs !== born.ctimeNs) return born.birthtimeNs > 0n && now.birthtimeNs === born.birthtimeNs
    }
    return false
  } finally {
    for (const path of [first, second]) fs.rmSync(path, { force: true })
  }
}
