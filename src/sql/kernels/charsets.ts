/** encode and decode, in the charsets that Spark 4 has. */
import { type Kernel, KernelError, kernel } from './kernel.ts'

interface Charset {
  /** Undefined where a character is not in the charset. */
  readonly encode: (text: string) => Uint8Array | undefined
  readonly decode: (bytes: Uint8Array) => string | undefined
}

const oneByte = (highest: number): Charset => ({
  encode: (text) => {
    const bytes = Uint8Array.from(text, (c) => c.codePointAt(0)!)
    return Array.from(text).every((c) => c.codePointAt(0)! <= highest) ? bytes : undefined
  },
  decode: (bytes) => (bytes.every((byte) => byte <= highest) ? Array.from(bytes, (byte) => String.fromCharCode(byte)).join('') : undefined),
})
const utf8: Charset = {
  encode: (text) => new TextEncoder().encode(text),
  decode: (bytes) => orUndefined(() => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)),
}
function utf16(littleEndian: boolean, mark: boolean): Charset {
  return {
    encode: (text) => {
      const bytes = new Uint8Array(2 * text.length + (mark && text !== '' ? 2 : 0))
      const view = new DataView(bytes.buffer)
      let at = 0
      if (bytes.length > 2 * text.length) {
        view.setUint16(0, 0xfeff, littleEndian)
        at = 2
      }
      for (let i = 0; i < text.length; i++) view.setUint16(at + 2 * i, text.charCodeAt(i), littleEndian)
      return bytes
    },
    decode: (bytes) => {
      const reversed = mark && bytes[0] === 0xff && bytes[1] === 0xfe
      const body = mark && (reversed || (bytes[0] === 0xfe && bytes[1] === 0xff)) ? bytes.subarray(2) : bytes
      return orUndefined(() =>
        new TextDecoder(littleEndian || reversed ? 'utf-16le' : 'utf-16be', { fatal: true, ignoreBOM: true }).decode(body),
      )
    },
  }
}
const utf32: Charset = {
  encode: (text) => {
    const points = Array.from(text, (c) => c.codePointAt(0)!)
    const view = new DataView(new ArrayBuffer(4 * points.length))
    points.forEach((point, i) => view.setUint32(4 * i, point))
    return new Uint8Array(view.buffer)
  },
  decode: (bytes) => {
    if (bytes.length % 4 !== 0) return undefined
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const points = Array.from({ length: bytes.length / 4 }, (_, i) => view.getUint32(4 * i))
    return points.every((point) => point <= 0x10ffff) ? String.fromCodePoint(...points) : undefined
  },
}
function orUndefined(read: () => string): string | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}

const charsets: ReadonlyMap<string, Charset> = new Map([
  ['US-ASCII', oneByte(0x7f)],
  ['ISO-8859-1', oneByte(0xff)],
  ['UTF-8', utf8],
  ['UTF-16', utf16(false, true)],
  ['UTF-16BE', utf16(false, false)],
  ['UTF-16LE', utf16(true, false)],
  ['UTF-32', utf32],
])
function charsetOf(name: string, of: string): Charset {
  const charset = charsets.get(name.toUpperCase())
  if (!charset)
    throw new KernelError(
      'INVALID_PARAMETER_VALUE.CHARSET',
      `The parameter charset of ${of} is '${name}', and expects one of ${[...charsets.keys()].join(', ')}.`,
    )
  return charset
}
function orMalformed<T>(value: T | undefined, of: string, charset: string): T {
  if (value === undefined) throw new KernelError('MALFORMED_CHARACTER_CODING', `Invalid value found when performing ${of} with ${charset}.`)
  return value
}

export const charset: readonly Kernel[] = [
  kernel('encode', ['string', 'string'], 'binary', (text: string, name: string) =>
    orMalformed(charsetOf(name, 'encode').encode(text), 'encode', name),
  ),
  kernel('decode', ['binary', 'string'], 'string', (bytes: Uint8Array, name: string) =>
    orMalformed(charsetOf(name, 'decode').decode(bytes), 'decode', name),
  ),
]
