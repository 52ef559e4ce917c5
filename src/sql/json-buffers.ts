/**
 * Which buffers DuckDB reads JSON files with.
 *
 * It reads a file in buffers of twice the longest record allowed, each by any thread. Where the last record of a file has no newline
 * behind it and the end of a buffer falls into it, that record gets lost: it becomes a row of nulls, or no row, or a malformed one. So the
 * end of each file of more than one buffer is looked at, and a file whose last record would be cut is read in buffers of another size.
 * Of a gzip file only the length of its content is known (its last four bytes), so room is left for the longest record. Not covered are
 * gzip files of several members or over 4 GiB, and zstd files: end those in a newline.
 */
import { open } from 'node:fs/promises'
import type { InputFile } from './read-request.ts'

export interface BufferGroup {
  readonly paths: readonly string[]
  /** What to give as maximum_object_size. */
  readonly maxRecordBytes: number
}

const recordBytes = 16 * 1024 * 1024
/** How far from a record the end of a buffer has to be: each buffer holds some bytes less than its size. */
const marginBytes = 64 * 1024

/** Groups files by the buffers to read them with, in their order within each group. */
export async function groupByBuffer(files: readonly InputFile[]): Promise<BufferGroup[]> {
  const groups = new Map<number, string[]>([[recordBytes, []]])
  for (const { path, sizeBytes } of files) {
    const maxRecordBytes = await recordBytesFor(path, sizeBytes)
    const paths = groups.get(maxRecordBytes)
    if (paths) paths.push(path)
    else groups.set(maxRecordBytes, [path])
  }
  return Array.from(groups, ([maxRecordBytes, paths]) => ({ paths, maxRecordBytes })).filter(({ paths }) => paths.length > 0)
}

async function recordBytesFor(path: string, sizeBytes: number): Promise<number> {
  if (path.endsWith('.gz')) {
    const contentBytes = await lastNumber(path, sizeBytes)
    return needsCare(contentBytes) ? chooseRecordBytes(contentBytes, recordBytes) : recordBytes
  }
  return needsCare(sizeBytes) ? chooseRecordBytes(sizeBytes, await openRecordBytes(path, sizeBytes)) : recordBytes
}
function needsCare(sizeBytes: number): boolean {
  return sizeBytes >= 2 * recordBytes - marginBytes
}

/** The smallest size, from 16 MiB up, with which no buffer ends within the last `openBytes` of a file. */
export function chooseRecordBytes(sizeBytes: number, openBytes: number): number {
  if (openBytes === 0) return recordBytes
  for (let size = recordBytes; ; size += marginBytes) {
    const inLast = sizeBytes % (2 * size)
    if (inLast > openBytes + marginBytes && inLast < 2 * size - marginBytes) return size
  }
}

/** How many bytes follow the last newline of a file: 0 where it ends in one. A file that is gone has none; reading it will say so. */
async function openRecordBytes(path: string, sizeBytes: number): Promise<number> {
  const file = await open(path).catch(() => undefined)
  if (!file) return 0
  try {
    for (let length = 1; ; length = Math.min(sizeBytes, 2 * recordBytes, length * 4096)) {
      const tail = new Uint8Array(length)
      const { bytesRead } = await file.read(tail, 0, length, sizeBytes - length)
      const newline = tail.lastIndexOf(10, bytesRead - 1)
      if (newline >= 0) return bytesRead - 1 - newline
      if (length === sizeBytes || length === 2 * recordBytes) return length
    }
  } finally {
    await file.close()
  }
}

/** The last four bytes, little-endian: the length of a gzip file's content. */
async function lastNumber(path: string, sizeBytes: number): Promise<number> {
  const file = await open(path).catch(() => undefined)
  if (!file) return 0
  try {
    const { buffer, bytesRead } = await file.read(new Uint8Array(4), 0, 4, Math.max(0, sizeBytes - 4))
    return bytesRead === 4 ? new DataView(buffer.buffer).getUint32(0, true) : 0
  } finally {
    await file.close()
  }
}
