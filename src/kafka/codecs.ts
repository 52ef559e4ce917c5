import type { KafkaLibrary } from './library.ts'
import type { Codecs } from './record-batch.ts'

/** Checksums and compressions as the client library has them. */
export function codecsOf(library: typeof KafkaLibrary): Codecs {
  const { compressionsAlgorithmsByBitmask: byNumber, crc32c, Writer } = library
  // the library copies a plain buffer before it looks at it; one in its own wrapping it reads in place
  const Wrapped = Writer.create().dynamicBuffer.constructor as new (bytes: Buffer) => Parameters<typeof crc32c>[0]
  return {
    crc32c: (bytes) => crc32c(new Wrapped(bytes)),
    decompress: Object.fromEntries(
      Object.entries(byNumber).map(([number, algorithm]) => [number, (bytes: Buffer) => algorithm.decompressSync(bytes)]),
    ),
  }
}
