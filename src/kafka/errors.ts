import { InvalidQueryError, MillraceError, UnavailableError } from '../base/errors.ts'

/** What is known of an error of the client library, whose errors hold others as `errors` and `cause`. */
export interface KafkaFailure {
  /** Kafka's name of the error where the broker gave one: NOT_LEADER_OR_FOLLOWER, TOPIC_AUTHORIZATION_FAILED, … */
  readonly code: string | undefined
  readonly kind: 'authentication' | 'authorization' | 'tls' | 'network' | 'protocol' | 'other'
  /** Whether the same request may succeed if it is sent again. A request that writes may have been done nevertheless. */
  readonly canRetry: boolean
  readonly message: string
}

/** Looks for the innermost reason. */
export function failureOf(error: unknown): KafkaFailure {
  const all = flatten(error)
  const protocol = all.find((each) => typeof each['apiId'] === 'string')
  const message = [...new Set(all.map((each) => each.message).filter((text) => text !== ''))].join(': ')
  if (protocol) {
    const code = protocol['apiId'] as string
    if (code === 'SASL_AUTHENTICATION_FAILED' || code === 'UNSUPPORTED_SASL_MECHANISM' || code === 'ILLEGAL_SASL_STATE')
      return { code, kind: 'authentication', canRetry: false, message }
    if (code.endsWith('_AUTHORIZATION_FAILED')) return { code, kind: 'authorization', canRetry: false, message }
    return { code, kind: 'protocol', canRetry: protocol['canRetry'] === true, message }
  }
  const codes = all.map((each) => String(each['code'] ?? ''))
  if (all.some(isTlsError)) return { code: undefined, kind: 'tls', canRetry: false, message }
  if (codes.includes('PLT_KFK_AUTHENTICATION')) return { code: undefined, kind: 'authentication', canRetry: false, message }
  if (codes.some((code) => networkCodes.has(code))) return { code: undefined, kind: 'network', canRetry: true, message }
  return { code: undefined, kind: 'other', canRetry: false, message }
}

/** An error of Millrace for a request that did not succeed. `doing`: "the partitions of clicks were asked for". */
export function kafkaError(error: unknown, doing: string, servers: string): MillraceError {
  if (error instanceof MillraceError) return error
  const { code, kind, canRetry, message } = failureOf(error)
  const what = `${doing}, and Kafka at ${servers} ${kind === 'network' ? 'could not be reached' : `answered ${code ?? 'with an error'}`}: ${message}`
  switch (kind) {
    case 'authentication':
      return new InvalidQueryError('KAFKA_AUTHENTICATION_FAILED', {
        what,
        todo: 'check kafka.security.protocol, kafka.sasl.mechanism and the credentials in kafka.sasl.jaas.config against the broker',
        cause: error,
      })
    case 'authorization':
      return new InvalidQueryError('KAFKA_AUTHORIZATION_FAILED', {
        what,
        todo: 'grant the user of this query the right that the message names (docs/kafka.md lists those that are needed)',
        cause: error,
      })
    case 'tls':
      return new InvalidQueryError('KAFKA_TLS_FAILED', {
        what,
        todo: "check kafka.security.protocol against the listener, kafka.ssl.truststore.location (PEM) against the broker's certificate, and that the host name stands in it",
        cause: error,
      })
    default:
      if (kind === 'network' || canRetry) {
        return new UnavailableError('KAFKA_UNAVAILABLE', {
          what,
          todo: 'see that the brokers run and that kafka.bootstrap.servers and their advertised.listeners can be reached from here; then start the query again',
          cause: error,
        })
      }
      return new InvalidQueryError('KAFKA_REQUEST_REFUSED', {
        what,
        todo: 'see the message and the log of the broker',
        cause: error,
      })
  }
}

type Loose = Error & Record<string, unknown>
function flatten(error: unknown, depth = 0): Loose[] {
  if (!(error instanceof Error) || depth > 8) return []
  const own = error as Loose
  const inner = Array.isArray(own['errors']) ? (own['errors'] as unknown[]) : []
  return [own, ...inner.flatMap((each) => flatten(each, depth + 1)), ...flatten(own.cause, depth + 1)]
}

const networkCodes = new Set([
  ...['PLT_KFK_NETWORK', 'PLT_KFK_TIMEOUT', 'PLT_KFK_UNEXPECTED_CORRELATION_ID'],
  ...['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EPIPE', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN'],
])

function isTlsError(error: Loose): boolean {
  const code = String(error['code'] ?? '')
  return (
    /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_)/.test(code) ||
    /TLS handshake failed|requires TLS|wrong version number/.test(error.message)
  )
}
