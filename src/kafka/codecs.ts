import type { KafkaLibrary } from './library.ts'
import type { Codecs } from './record-batch.ts'

/** Checksums and compressions as the client library has them. */
export function codecsOf(library: typeof KafkaLibrary): Codecs {
  const { compressionsAlgorithmsByBitmask: byNumber, crc32c } = library
  return {
    crc32c,
    decompress: Object.fromEntries(
      Object.entries(byNumber).map(([number, algorithm]) => [number, (bytes: Buffer) => algorithm.decompressSync(bytes)]),
    ),
  }
}
