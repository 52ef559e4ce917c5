/** URLs, as java.net.URI and java.net.URLEncoder have them. */
import { javaRegex } from './java-regex.ts'
import { type Kernel, KernelError, kernel } from './kernel.ts'

const uri = /^(?:([^:/?#]+):)?(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s
/** What may stand in a URI: anything printable but blanks and a few marks, and % only before two hexadecimal digits. */
const wrongCharacter = /[\x00-\x20\x7f"<>\\^`{|}]|%(?![0-9A-Fa-f]{2})/

interface Uri {
  readonly scheme: string | undefined
  readonly authority: string | undefined
  readonly path: string | null
  readonly query: string | undefined
  readonly fragment: string | undefined
}
function parse(text: string): Uri | undefined {
  if (wrongCharacter.test(text)) return undefined
  const match = uri.exec(text)
  if (!match) return undefined
  const [, scheme, authority, path = '', query, fragment] = match
  if (scheme !== undefined && !/^[A-Za-z][A-Za-z0-9+.-]*$/.test(scheme)) return undefined
  const opaque = scheme !== undefined && authority === undefined && !path.startsWith('/')
  if (opaque && path === '') return undefined
  return { scheme, authority: authority || undefined, path: opaque ? null : path, query: opaque ? undefined : query, fragment }
}
/** A host only where the authority is one of a server. */
function server(authority: string | undefined): { host: string; user: string | undefined } | undefined {
  const match =
    authority === undefined
      ? null
      : /^(?:([^@]*)@)?(\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.?)(?::\d*)?$/.exec(
          authority,
        )
  return match ? { host: match[2]!, user: match[1] } : undefined
}

function part(text: string, name: string, key: string | null, isTry: boolean): string | null {
  const url = parse(text)
  if (!url) {
    if (isTry) return null
    throw new KernelError('INVALID_URL', `The url is invalid: ${text}. Use try_parse_url to tolerate invalid URL and return NULL instead.`)
  }
  if (key !== null && name !== 'QUERY') return null
  switch (name) {
    case 'HOST':
      return server(url.authority)?.host ?? null
    case 'PATH':
      return url.path
    case 'QUERY':
      return key === null ? (url.query ?? null) : valueOf(url.query, key)
    case 'REF':
      return url.fragment ?? null
    case 'PROTOCOL':
      return url.scheme ?? null
    case 'FILE':
      return url.path === null ? null : url.path + (url.query === undefined ? '' : `?${url.query}`)
    case 'AUTHORITY':
      return url.authority ?? null
    case 'USERINFO':
      return server(url.authority)?.user ?? null
    default:
      return null
  }
}
/** The key stands in a regular expression, as in Spark. */
function valueOf(query: string | undefined, key: string): string | null {
  if (query === undefined) return null
  const { regex, groupAt } = javaRegex(`(&|^)${key}=([^&]*)`, 'parse_url')
  regex.lastIndex = 0
  return regex.exec(query)?.[groupAt.at(-1)!] ?? null
}

function encode(text: string): string {
  return encodeURIComponent(text)
    .replaceAll('%20', '+')
    .replaceAll(/[!'()~]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
}
function decode(text: string): string | undefined {
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) return undefined
  const bytes = Buffer.from(text.replaceAll('+', ' '), 'utf8')
  const out: number[] = []
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] !== 0x25) out.push(bytes[i]!)
    else {
      out.push(Number.parseInt(bytes.toString('latin1', i + 1, i + 3), 16))
      i += 2
    }
  }
  return Buffer.from(out).toString('utf8')
}

export const url: readonly Kernel[] = [
  kernel(
    'parse_url',
    ['string', 'string', 'string', 'boolean'],
    'string',
    (text: string | null, name: string | null, key: string | null, isTry: boolean) =>
      text === null || name === null ? null : part(text, name, key, isTry),
    { seesNulls: true },
  ),
  kernel('url_encode', ['string'], 'string', encode),
  kernel('url_decode', ['string'], 'string', (text: string) => {
    const decoded = decode(text)
    if (decoded === undefined)
      throw new KernelError(
        'CANNOT_DECODE_URL',
        `The provided URL cannot be decoded: ${text}. Please ensure that the URL is properly formatted and try again.`,
      )
    return decoded
  }),
  kernel('try_url_decode', ['string'], 'string', (text: string) => decode(text) ?? null),
]
