import { InvalidQueryError } from '../base/errors.ts'

/** What the URL of a server says. */
export interface ServerUrl {
  readonly host?: string
  readonly port?: number
  readonly user?: string
  readonly password?: string
  readonly database?: string
  /** Names in lower case. */
  readonly parameters: ReadonlyMap<string, string>
}

/**
 * Reads `postgresql://user:password@host:5432/shop?sslmode=require`, with or without `jdbc:` in front. InvalidQueryError INVALID_OPTION_VALUE; the message has no
 * password in it.
 */
export function parseServerUrl(text: string, schemes: readonly string[]): ServerUrl {
  const plain = text.replace(/^jdbc:/i, '')
  let url: URL
  try {
    url = new URL(plain)
  } catch {
    throw invalidUrl(text, schemes)
  }
  if (!schemes.includes(url.protocol.slice(0, -1).toLowerCase())) throw invalidUrl(text, schemes)
  const database = decodeURIComponent(url.pathname.replace(/^\//, ''))
  const parameters = new Map([...url.searchParams].map(([name, value]) => [name.toLowerCase(), value]))
  const user = url.username === '' ? parameters.get('user') : decodeURIComponent(url.username)
  const password = url.password === '' ? parameters.get('password') : decodeURIComponent(url.password)
  const host = url.hostname === '' ? parameters.get('host') : decodeURIComponent(url.hostname.replace(/^\[(.*)\]$/, '$1'))
  for (const name of ['user', 'password', 'host']) parameters.delete(name)
  return {
    ...(host !== undefined && { host }),
    ...(url.port !== '' && { port: Number(url.port) }),
    ...(user !== undefined && { user }),
    ...(password !== undefined && { password }),
    ...(database !== '' && { database }),
    parameters,
  }
}

function invalidUrl(text: string, schemes: readonly string[]): InvalidQueryError {
  return new InvalidQueryError('INVALID_OPTION_VALUE', {
    what: `url = ${JSON.stringify(withoutPassword(text))} is no URL of such a server`,
    todo: `give one such as ${schemes[0]}://host:port/database, with special characters as %xx`,
  })
}
export function withoutPassword(url: string): string {
  return url.replace(/(:\/\/[^:/@]*):.*@/, '$1:…@').replace(/(password=)[^&]*/gi, '$1…')
}
