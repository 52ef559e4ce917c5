type Resizable = Uint8Array | Uint16Array | Uint32Array | Int32Array | Float64Array

/** The same content in an array of `length` elements, zeroed above. The old array is gone: its memory is free at once, not at the next collection. */
export function resized<T extends Resizable>(array: T, length: number): T {
  const buffer = (array.buffer as ArrayBuffer).transfer(length * array.BYTES_PER_ELEMENT)
  return new (array.constructor as new (buffer: ArrayBuffer) => T)(buffer)
}
