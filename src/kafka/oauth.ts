import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { InvalidQueryError, UnavailableError } from '../base/errors.ts'

/** How OAUTHBEARER gets its tokens. */
export type TokenSource =
  /** The grant of client credentials at a token endpoint. */
  | { readonly kind: 'endpoint'; readonly url: string; readonly clientId: string; readonly clientSecret: string; readonly scope?: string }
  /** A file that something else renews; read for each connection. */
  | { readonly kind: 'file'; readonly url: string }
  /** A token that only says who one is, for brokers of a development set-up. */
  | { readonly kind: 'unsecured'; readonly subject: string }

/** Gives a token that is valid now; those of an endpoint are kept until a fifth of their life is left. */
export function tokenProvider(source: TokenSource): () => Promise<string> {
  if (source.kind === 'unsecured') return async () => unsecuredToken(source.subject)
  if (source.kind === 'file') return () => tokenOfFile(source.url)
  let kept: { readonly token: string; readonly untilMs: number } | undefined
  return async () => {
    // tokens expire by the time of the world, whatever clock the query runs by
    if (kept && Date.now() < kept.untilMs) return kept.token
    const { token, lifeMs } = await requestToken(source)
    kept = { token, untilMs: Date.now() + lifeMs * 0.8 }
    return token
  }
}

async function requestToken(source: Extract<TokenSource, { kind: 'endpoint' }>): Promise<{ token: string; lifeMs: number }> {
  const body = new URLSearchParams({ grant_type: 'client_credentials', ...(source.scope === undefined ? {} : { scope: source.scope }) })
  const credentials = Buffer.from(`${source.clientId}:${source.clientSecret}`).toString('base64')
  let response: Response
  let text: string
  try {
    response = await fetch(source.url, {
      method: 'POST',
      headers: { authorization: `Basic ${credentials}`, 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
      body,
      signal: AbortSignal.timeout(30_000),
    })
    text = await response.text()
  } catch (cause) {
    throw new UnavailableError('KAFKA_TOKEN_ENDPOINT_UNAVAILABLE', {
      what: `the token endpoint ${source.url} gave no answer: ${String((cause as Error).cause ?? cause)}`,
      todo: 'see that it runs and can be reached from here; then start the query again',
      cause,
    })
  }
  const answer = jsonOf(text)
  if (response.ok && typeof answer['access_token'] === 'string') {
    const seconds = Number(answer['expires_in'] ?? 300)
    return { token: answer['access_token'], lifeMs: (Number.isFinite(seconds) ? seconds : 300) * 1000 }
  }
  const refusal = { what: `the token endpoint ${source.url} answered ${response.status}: ${String(answer['error'] ?? text.slice(0, 200))}` }
  if (response.status >= 500) throw new UnavailableError('KAFKA_TOKEN_ENDPOINT_UNAVAILABLE', { ...refusal, todo: 'start the query again' })
  throw new InvalidQueryError('KAFKA_AUTHENTICATION_FAILED', {
    ...refusal,
    todo: 'check the client id, the client secret and the scope, and the URL of the endpoint',
  })
}

async function tokenOfFile(url: string): Promise<string> {
  try {
    return (await readFile(fileURLToPath(url), 'utf8')).trim()
  } catch (cause) {
    throw new InvalidQueryError('KAFKA_AUTHENTICATION_FAILED', {
      what: `the token could not be read from ${url}: ${(cause as Error).message}`,
      todo: 'write the token there, or give the URL of a token endpoint',
      cause,
    })
  }
}

function unsecuredToken(subject: string): string {
  const nowSeconds = Math.floor(Date.now() / 1000)
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part({ alg: 'none' })}.${part({ sub: subject, iat: nowSeconds, exp: nowSeconds + 3600 })}.`
}

function jsonOf(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch {
    return {}
  }
}
