/** Text files read in TypeScript: any encoding that Node decodes, any end of line, gzip and zstd by their endings. */
import { createReadStream } from 'node:fs'
// as a whole: an old Node lacks createZstdDecompress, and could not even load this module to be told that it is old
import zlib from 'node:zlib'
import { InvalidQueryError, UnavailableError } from '../base/errors.ts'
import type { FormatOptions } from './options.ts'

const chunkBytes = 256 * 1024
const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** The option `encoding` (or `charset`), in Node's spelling; InvalidQueryError for one that can't be decoded. */
export function encodingOf(options: FormatOptions): string {
  const name = options.text('encoding') ?? options.text('charset') ?? 'UTF-8'
  try {
    return new TextDecoder(name).encoding
  } catch {
    throw new InvalidQueryError('INVALID_PARAMETER_VALUE.CHARSET', {
      what: `option("encoding", ${JSON.stringify(name)}) names no encoding that can be decoded`,
      todo: 'use UTF-8, UTF-16LE, UTF-16BE, ISO-8859-1, windows-1252 or another of the WHATWG list',
    })
  }
}

/** The file's text in pieces, decompressed and decoded; bytes that are none of the encoding become U+FFFD. Lets other work in between. */
export async function* textChunks(path: string, encoding: string): AsyncGenerator<string> {
  const decoder = new TextDecoder(encoding, { ignoreBOM: true })
  const file = createReadStream(path, { highWaterMark: chunkBytes })
  const stream = path.endsWith('.gz')
    ? file.pipe(zlib.createGunzip())
    : path.endsWith('.zst')
      ? file.pipe(zlib.createZstdDecompress())
      : file
  if (stream !== file) file.on('error', (error) => stream.destroy(error))
  try {
    for await (const bytes of stream) {
      yield decoder.decode(bytes as Uint8Array, { stream: true })
      await nextTurn()
    }
    yield decoder.decode()
  } catch (cause) {
    const missing = (cause as { code?: string }).code === 'ENOENT'
    throw new UnavailableError(missing ? 'FAILED_READ_FILE.FILE_NOT_EXIST' : 'FAILED_READ_FILE', {
      what: missing ? `the file ${path} is not there` : `${path} can't be read: ${(cause as Error).message}`,
      todo: missing ? 'bring it back; files must stay until the batches that read them are committed' : 'check that the file is whole',
      cause,
    })
  } finally {
    file.destroy()
  }
}

/** The lines of a file, in pieces. Ends of lines are \n, \r\n and \r, or what `lineSep` says; an empty end of the file is no line. */
export async function* lineChunks(path: string, encoding: string, lineSep: string | undefined): AsyncGenerator<string[]> {
  let open = ''
  for await (const chunk of textChunks(path, encoding)) {
    const lines = (open + chunk).split(lineSep ?? /\r\n|\n|\r(?!$)/)
    open = lines.pop()!
    yield lines
  }
  const last = lineSep === undefined ? open.replace(/\r$/, '') : open
  if (last !== '') yield [last]
}
