const { copy } = Buffer.prototype

/** Copies bytes. Most strings are short, and a call costs more than they do; one copies in one go, also where memory is shared, which `set` copies in small pieces. */
export function copyBytes(target: Uint8Array, at: number, source: Uint8Array, start: number, length: number): void {
  if (length > 32) copy.call(source, target, at, start, start + length)
  else for (let i = 0; i < length; i++) target[at + i] = source[start + i]!
}

/** As `target.set(source)`, as far as there is room. */
export function copyInto(target: Int32Array | Uint8Array, source: Int32Array | Uint8Array): void {
  copy.call(bytesOf(source), bytesOf(target))
}
function bytesOf({ buffer, byteOffset, byteLength }: Int32Array | Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}
