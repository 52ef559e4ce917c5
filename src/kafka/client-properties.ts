import { InvalidQueryError } from '../base/errors.ts'
import { durationMsOf } from '../base/quantities.ts'
import { nearest } from '../base/suggest.ts'

/**
 * The options `kafka.<name>`: properties of Kafka's own clients, in the spelling of the Java client, that concern the connection.
 * A property that is not heeded and not known to be without effect here is refused, never passed over: it may be about security.
 */
export class ClientProperties {
  readonly #owner: string
  readonly #values: ReadonlyMap<string, string>
  private constructor(owner: string, values: ReadonlyMap<string, string>) {
    this.#owner = owner
    this.#values = values
  }

  /**
   * Takes the properties out of a source's or sink's options. `own` are those that it heeds beside the connection's; `refused` those that
   * would break what it promises, with the reason. InvalidQueryError UNSUPPORTED_OPTION, UNKNOWN_OPTION.
   */
  static of(
    owner: string,
    options: Readonly<Record<string, string>>,
    own: readonly string[] = [],
    refused: Readonly<Record<string, string>> = {},
  ): ClientProperties {
    const values = new Map<string, string>()
    for (const [option, value] of Object.entries(options)) {
      if (!isClientProperty(option)) continue
      const name = option.slice(prefix.length).toLowerCase()
      check(owner, name, own, refused)
      values.set(name, value)
    }
    return new ClientProperties(owner, values)
  }

  text(name: string): string | undefined {
    const value = this.#values.get(name)
    return value === '' && name !== 'ssl.endpoint.identification.algorithm' ? undefined : value
  }
  required(name: string, example: string): string {
    const value = this.text(name)
    if (value !== undefined) return value
    throw new InvalidQueryError('MISSING_OPTION', {
      what: `${this.#owner} was given no option "${prefix}${name}"`,
      todo: `set it: option('${prefix}${name}', '${example}')`,
    })
  }
  /** One of the values, in any case of letters. */
  oneOf<T extends string>(name: string, values: readonly T[], otherwise: T): T {
    const value = this.text(name)
    if (value === undefined) return otherwise
    const found = values.find((each) => each.toLowerCase() === value.trim().toLowerCase())
    if (found !== undefined) return found
    return this.invalid(name, `one of ${values.join(', ')}`)
  }
  flag(name: string, otherwise: boolean): boolean {
    return this.oneOf(name, ['true', 'false'], otherwise ? 'true' : 'false') === 'true'
  }
  wholeNumber(name: string, min: number, otherwise: number): number {
    const value = this.text(name)
    if (value === undefined) return otherwise
    const number = Number(value)
    if (/^\s*\d+\s*$/.test(value) && number >= min && number <= 2 ** 31 - 1) return number
    return this.invalid(name, `a whole number from ${min} to ${2 ** 31 - 1}`)
  }
  /** Milliseconds, as the Java client takes them; `10s` is understood too. */
  durationMs(name: string, otherwise: number): number {
    const value = this.text(name)
    if (value === undefined) return otherwise
    return durationMsOf(value) ?? this.invalid(name, 'a number of milliseconds')
  }
  invalid(name: string, expected: string): never {
    throw new InvalidQueryError('INVALID_OPTION_VALUE', {
      what: `${this.#owner} was given ${prefix}${name} = ${secret(name) ? 'a value' : JSON.stringify(this.#values.get(name))}, which is not ${expected}`,
      todo: `give ${expected}, or leave the option out`,
    })
  }
}

export function isClientProperty(option: string): boolean {
  return option.toLowerCase().startsWith(prefix)
}

const prefix = 'kafka.'

/** Properties whose values must not come into messages. */
function secret(name: string): boolean {
  return /password|secret|jaas|key/.test(name)
}

function check(owner: string, name: string, own: readonly string[], refused: Readonly<Record<string, string>>): void {
  const reason = refused[name] ?? unsupported[name]
  if (reason !== undefined) {
    throw new InvalidQueryError('UNSUPPORTED_OPTION', { what: `${owner} does not heed the option "${prefix}${name}"`, todo: reason })
  }
  const known = [...connectionProperties, ...own]
  if (known.includes(name) || withoutEffect.has(name)) return
  const near = nearest(name, known).map((each) => `"${prefix}${each}"`)
  throw new InvalidQueryError('UNKNOWN_OPTION', {
    what: `${owner} knows no option "${prefix}${name}"`,
    todo: near.length > 0 ? `did you mean ${near.join(' or ')}?` : 'leave it out; docs/kafka.md has the properties that are heeded',
  })
}

/** Heeded by connection-options.ts and cluster.ts. */
export const connectionProperties: readonly string[] = [
  'bootstrap.servers',
  'client.id',
  'security.protocol',
  'sasl.mechanism',
  'sasl.jaas.config',
  'sasl.oauthbearer.token.endpoint.url',
  'sasl.oauthbearer.client.credentials.client.id',
  'sasl.oauthbearer.client.credentials.client.secret',
  'sasl.oauthbearer.scope',
  'ssl.truststore.type',
  'ssl.truststore.location',
  'ssl.truststore.certificates',
  'ssl.keystore.type',
  'ssl.keystore.location',
  'ssl.keystore.password',
  'ssl.keystore.key',
  'ssl.keystore.certificate.chain',
  'ssl.key.password',
  'ssl.endpoint.identification.algorithm',
  'ssl.enabled.protocols',
  'ssl.cipher.suites',
  'request.timeout.ms',
  'default.api.timeout.ms',
  'socket.connection.setup.timeout.ms',
  'retry.backoff.ms',
  'retry.backoff.max.ms',
]

/** Of the Java client's own machinery: taken, so that options can be carried over from Spark, and without effect on what is read or written. */
const withoutEffect: ReadonlySet<string> = new Set([
  'receive.buffer.bytes',
  'send.buffer.bytes',
  'reconnect.backoff.ms',
  'reconnect.backoff.max.ms',
  'connections.max.idle.ms',
  'metadata.max.age.ms',
  'metrics.num.samples',
  'metrics.recording.level',
  'metrics.sample.window.ms',
  'metric.reporters',
  'enable.metrics.push',
  'client.dns.lookup',
  'socket.connection.setup.timeout.max.ms',
  'sasl.login.refresh.buffer.seconds',
  'sasl.login.refresh.min.period.seconds',
  'sasl.login.refresh.window.factor',
  'sasl.login.refresh.window.jitter',
  'ssl.provider',
  'ssl.protocol',
  'ssl.keymanager.algorithm',
  'ssl.trustmanager.algorithm',
  'ssl.secure.random.implementation',
])

const unsupported: Readonly<Record<string, string>> = {
  'ssl.truststore.password': 'a PEM file of certificates has no password; leave it out',
  'ssl.engine.factory.class': 'a class of Java cannot be loaded here; use the other ssl options',
  'sasl.client.callback.handler.class': 'a class of Java cannot be loaded here; use sasl.jaas.config',
  'sasl.login.callback.handler.class':
    'a class of Java cannot be loaded here; use sasl.jaas.config and sasl.oauthbearer.token.endpoint.url',
  'sasl.login.class': 'a class of Java cannot be loaded here; use sasl.jaas.config',
  'sasl.kerberos.service.name': 'Kerberos is not there; use SCRAM or OAUTHBEARER',
  'security.providers': 'a class of Java cannot be loaded here',
}
