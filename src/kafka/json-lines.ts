/**
 * JSON values on their way to DuckDB without becoming strings: what lies between two values in a fetched buffer (lengths, keys, headers) is
 * overwritten with spaces and a newline, so that the buffer is JSON, a record a line, and is written as it is into a file, in memory where
 * that is possible. Every record becomes exactly one line: what is no object (null, blank, another value) becomes `{}`, which gives the same
 * nulls as from_json does. An object that is malformed stays as it is, for the reader to judge.
 */
import { rmSync } from 'node:fs'
import { type FileHandle, mkdtemp, open, readdir, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RecordTarget } from './record-batch.ts'

export class JsonLines implements RecordTarget {
  readonly overwrites = true
  rows = 0
  #file: ScratchFile
  #buffer: Buffer = Buffer.alloc(0)
  #segmentStart = 0
  /** Up to here the buffer is as it will be written. */
  #doneTo = 0
  /** The next newline of the buffer as it came, at or behind the record that is looked at. */
  #nextNewline = -1
  #segments: Buffer[] = []

  private constructor(file: ScratchFile) {
    this.#file = file
  }
  static async open(): Promise<JsonLines> {
    return new JsonLines(await ScratchFile.open())
  }

  begin(buffer: Buffer, _start: number, headEnd: number): void {
    this.#buffer = buffer
    this.#segmentStart = headEnd
    this.#doneTo = headEnd
    this.#nextNewline = -1
  }

  add(
    _offset: number,
    _timestampMs: number,
    recordStart: number,
    _keyStart: number,
    _keyEnd: number,
    valueStart: number,
    valueEnd: number,
    recordEnd: number,
  ): void {
    const buffer = this.#buffer
    this.rows++
    if (this.#nextNewline < valueStart) {
      const found = buffer.indexOf(newline, valueStart)
      this.#nextNewline = found < 0 ? Number.POSITIVE_INFINITY : found
    }
    if (valueEnd <= valueStart || buffer[valueStart] !== brace || this.#nextNewline < valueEnd) {
      if (!this.#tidy(valueStart, valueEnd)) return this.#writeEmpty(recordStart, recordEnd)
    }
    blank(buffer, this.#doneTo, valueStart)
    // behind the value there is the count of its headers, at least
    buffer[valueEnd] = newline
    this.#doneTo = valueEnd + 1
  }
  pass(): void {}
  end(): void {
    if (this.#doneTo > this.#segmentStart) this.#segments.push(this.#buffer.subarray(this.#segmentStart, this.#doneTo))
  }

  /** Writes what has been added. The buffers are free afterwards. */
  async write(): Promise<void> {
    if (this.#segments.length === 0) return
    const segments = this.#segments
    this.#segments = []
    this.#file = await this.#file.append(segments)
  }
  async finish(): Promise<{ path: string; sizeBytes: number }> {
    await this.write()
    return this.#file.finish()
  }
  release(): Promise<void> {
    return this.#file.remove()
  }

  /** Makes a value that is no plain line into one. False where it holds no object. */
  #tidy(start: number, end: number): boolean {
    const buffer = this.#buffer
    let at = start
    while (at < end && isBlank(buffer[at]!)) at++
    if (at >= end || buffer[at] !== brace) return false
    if (this.#nextNewline >= end) return true
    const behind = endOfObject(buffer, at, end)
    if (behind < 0) return false
    // between the parts of an object a space says the same; what follows the object is passed over, as from_json does
    for (at = start; at < behind; at++) if (buffer[at] === newline || buffer[at] === 13) buffer[at] = space
    blank(buffer, behind, end)
    return true
  }
  #writeEmpty(recordStart: number, recordEnd: number): void {
    blank(this.#buffer, this.#doneTo, recordEnd)
    this.#buffer.write('{}\n', recordStart)
    this.#doneTo = recordStart + 3
  }
}

const [newline, space, quote, backslash, brace] = [10, 32, 0x22, 0x5c, 0x7b]

function isBlank(byte: number): boolean {
  return byte === space || (byte >= 9 && byte <= 13)
}

/** Behind the closing brace of the object that begins at `start`; -1 where a line ends within a text, which is malformed. Where the object does not end: `end`. */
function endOfObject(buffer: Buffer, start: number, end: number): number {
  let depth = 0
  let inText = false
  for (let at = start; at < end; at++) {
    const byte = buffer[at]!
    if (inText) {
      if (byte === newline) return -1
      if (byte === backslash) at++
      else if (byte === quote) inText = false
    } else if (byte === quote) inText = true
    else if (byte === brace || byte === 0x5b) depth++
    else if ((byte === 0x7d || byte === 0x5d) && --depth === 0) return at + 1
  }
  return end
}

function blank(buffer: Buffer, from: number, to: number): void {
  if (to - from > 64) buffer.fill(space, from, to)
  else for (let at = from; at < to; at++) buffer[at] = space
}

// ---- the file

const memory = '/dev/shm'
let folders: Promise<{ readonly memory: string | undefined; readonly disk: string }> | undefined
let files = 0

/** This process's folders; those of processes that have died are removed. */
function ownFolders() {
  folders ??= (async () => {
    const [inMemory, onDisk] = await Promise.all([makeFolder(memory).catch(() => undefined), makeFolder(tmpdir())])
    return { memory: inMemory, disk: onDisk }
  })()
  return folders
}
async function makeFolder(parent: string): Promise<string> {
  for (const name of await readdir(parent)) {
    const pid = /^millrace-lines-(\d+)-/.exec(name)?.[1]
    if (pid !== undefined && !isAlive(Number(pid))) await rm(join(parent, name), { recursive: true, force: true }).catch(() => {})
  }
  const folder = await mkdtemp(join(parent, `millrace-lines-${process.pid}-`))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as { code?: string }).code === 'EPERM'
  }
}

/** A file in memory as long as there is room for it, else on disk. */
class ScratchFile {
  readonly #path: string
  readonly #handle: FileHandle
  readonly #limitBytes: number
  #sizeBytes = 0
  #isOpen = true
  private constructor(path: string, handle: FileHandle, limitBytes: number) {
    this.#path = path
    this.#handle = handle
    this.#limitBytes = limitBytes
  }
  static async open(): Promise<ScratchFile> {
    const own = await ownFolders()
    if (own.memory === undefined) return ScratchFile.#in(own.disk, Number.POSITIVE_INFINITY)
    const { bavail, bsize } = await statfs(own.memory)
    return ScratchFile.#in(own.memory, (bavail * bsize) / 2)
  }
  static async #in(folder: string, limitBytes: number): Promise<ScratchFile> {
    const path = join(folder, `${++files}.json`)
    return new ScratchFile(path, await open(path, 'wx+', 0o600), limitBytes)
  }

  /** Gives the file that now has it all: another one where this one became too large. */
  async append(parts: readonly Buffer[]): Promise<ScratchFile> {
    const bytes = parts.reduce((sum, part) => sum + part.length, 0)
    if (this.#sizeBytes + bytes > this.#limitBytes) return this.#toDisk(parts)
    try {
      await writeAll(this.#handle, parts, this.#sizeBytes)
    } catch (error) {
      if ((error as { code?: string }).code !== 'ENOSPC' || this.#limitBytes === Number.POSITIVE_INFINITY) throw error
      return this.#toDisk(parts)
    }
    this.#sizeBytes += bytes
    return this
  }
  async finish(): Promise<{ path: string; sizeBytes: number }> {
    await this.#close()
    return { path: this.#path, sizeBytes: this.#sizeBytes }
  }
  async remove(): Promise<void> {
    await this.#close()
    await rm(this.#path, { force: true })
  }

  async #toDisk(parts: readonly Buffer[]): Promise<ScratchFile> {
    const file = await ScratchFile.#in((await ownFolders()).disk, Number.POSITIVE_INFINITY)
    const piece = Buffer.allocUnsafe(4 * 1024 * 1024)
    for (let at = 0; at < this.#sizeBytes; ) {
      const { bytesRead } = await this.#handle.read(piece, 0, Math.min(piece.length, this.#sizeBytes - at), at)
      await file.append([piece.subarray(0, bytesRead)])
      at += bytesRead
    }
    await this.remove()
    return file.append(parts)
  }
  async #close(): Promise<void> {
    if (!this.#isOpen) return
    this.#isOpen = false
    await this.#handle.close()
  }
}

async function writeAll(handle: FileHandle, parts: readonly Buffer[], position: number): Promise<void> {
  let at = position
  let rest = [...parts]
  while (rest.length > 0) {
    const { bytesWritten } = await handle.writev(rest.slice(0, 512), at)
    at += bytesWritten
    let left = bytesWritten
    while (rest.length > 0 && left >= rest[0]!.length) left -= rest.shift()!.length
    if (left > 0) rest = [rest[0]!.subarray(left), ...rest.slice(1)]
  }
}
