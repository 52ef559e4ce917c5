import { basename } from 'node:path'
import { pathKey, SeenSet } from './seen-set.ts'

/**
 * The files that were taken already, by path (or name only), with the forgetting that Spark's maxFileAge asks for: a file that is more than
 * `maxAgeMs` older than the newest one taken is never new again, so its path need not be remembered. Before the first `purge` every file
 * may be new. Memory goes by the files within that age, a few dozen bytes each, and not by the history. Files are held by age in sets that
 * are dropped whole: a path may stay for a sixteenth of the age longer than it must, which changes nothing, as it would be too old.
 */
export class SeenFiles {
  readonly #maxAgeMs: number
  readonly #fileNameOnly: boolean
  /** By age: number of the bucket → its files. One bucket where nothing is ever forgotten. */
  readonly #buckets = new Map<number, SeenSet>()
  readonly #bucketMs: number
  #oldestBucket = Number.POSITIVE_INFINITY
  #newestMs = 0
  #oldestAllowedMs = Number.NEGATIVE_INFINITY

  constructor(maxAgeMs: number, fileNameOnly: boolean) {
    this.#maxAgeMs = maxAgeMs
    this.#fileNameOnly = fileNameOnly
    this.#bucketMs = Math.max(1, maxAgeMs / 16)
  }

  get size(): number {
    let size = 0
    for (const set of this.#buckets.values()) size += set.size
    return size
  }
  get bytes(): number {
    let bytes = 0
    for (const set of this.#buckets.values()) bytes += set.bytes
    return bytes
  }
  /** Files modified before this are not new, whatever their name. */
  get oldestAllowedMs(): number {
    return this.#oldestAllowedMs
  }

  has(path: string): boolean {
    const key = pathKey(this.#nameOf(path))
    for (const set of this.#buckets.values()) if (set.has(key)) return true
    return false
  }
  isTooOld(modifiedMs: number): boolean {
    return modifiedMs < this.#oldestAllowedMs
  }

  add(path: string, modifiedMs: number): void {
    this.#newestMs = Math.max(this.#newestMs, modifiedMs)
    const bucket = this.#maxAgeMs === Number.POSITIVE_INFINITY ? 0 : Math.floor(modifiedMs / this.#bucketMs)
    const set = this.#buckets.get(bucket) ?? new SeenSet()
    this.#buckets.set(bucket, set)
    set.add(pathKey(this.#nameOf(path)))
    this.#oldestBucket = Math.min(this.#oldestBucket, bucket)
  }

  /** Moves the age limit to where the newest file puts it. Gives whether anything was forgotten. */
  purge(): boolean {
    if (this.#maxAgeMs === Number.POSITIVE_INFINITY) return false
    this.#oldestAllowedMs = this.#newestMs - this.#maxAgeMs
    if ((this.#oldestBucket + 1) * this.#bucketMs > this.#oldestAllowedMs) return false
    for (const bucket of this.#buckets.keys()) if ((bucket + 1) * this.#bucketMs <= this.#oldestAllowedMs) this.#buckets.delete(bucket)
    this.#oldestBucket = Math.min(...this.#buckets.keys())
    return true
  }

  #nameOf(path: string): string {
    return this.#fileNameOnly ? basename(path) : path
  }
}
