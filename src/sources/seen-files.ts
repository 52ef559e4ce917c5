import { basename } from 'node:path'

/**
 * The files that were taken already, by path (or name only), with the forgetting that Spark's maxFileAge asks for: a file that is more than
 * `maxAgeMs` older than the newest one taken is never new again, so its path need not be remembered. Before the first `purge` every file may be new.
 */
export class SeenFiles {
  readonly #maxAgeMs: number
  readonly #fileNameOnly: boolean
  readonly #modifiedMs = new Map<string, number>()
  /** Keys by age, so that forgetting costs only what is forgotten. */
  readonly #buckets = new Map<number, string[]>()
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
    return this.#modifiedMs.size
  }
  /** Files modified before this are not new, whatever their name. */
  get oldestAllowedMs(): number {
    return this.#oldestAllowedMs
  }

  has(path: string): boolean {
    return this.#modifiedMs.has(this.#key(path))
  }
  isTooOld(modifiedMs: number): boolean {
    return modifiedMs < this.#oldestAllowedMs
  }

  add(path: string, modifiedMs: number): void {
    const key = this.#key(path)
    this.#modifiedMs.set(key, modifiedMs)
    this.#newestMs = Math.max(this.#newestMs, modifiedMs)
    if (this.#maxAgeMs === Number.POSITIVE_INFINITY) return
    const bucket = Math.floor(modifiedMs / this.#bucketMs)
    const keys = this.#buckets.get(bucket)
    if (keys) keys.push(key)
    else this.#buckets.set(bucket, [key])
    this.#oldestBucket = Math.min(this.#oldestBucket, bucket)
  }

  /** Moves the age limit to where the newest file puts it. Gives whether anything was forgotten. */
  purge(): boolean {
    if (this.#maxAgeMs === Number.POSITIVE_INFINITY) return false
    this.#oldestAllowedMs = this.#newestMs - this.#maxAgeMs
    if ((this.#oldestBucket + 1) * this.#bucketMs > this.#oldestAllowedMs) return false
    for (const [bucket, keys] of this.#buckets) {
      if ((bucket + 1) * this.#bucketMs > this.#oldestAllowedMs) continue
      for (const key of keys) if (this.#modifiedMs.get(key)! < this.#oldestAllowedMs) this.#modifiedMs.delete(key)
      this.#buckets.delete(bucket)
    }
    this.#oldestBucket = Math.min(...this.#buckets.keys())
    return true
  }

  #key(path: string): string {
    return this.#fileNameOnly ? basename(path) : path
  }
}
