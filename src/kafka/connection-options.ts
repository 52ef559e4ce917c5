import { readFileSync } from 'node:fs'
import type { ConnectionOptions as TlsOptions } from 'node:tls'
import { InvalidQueryError } from '../base/errors.ts'
import type { ClientProperties } from './client-properties.ts'
import { type JaasLogin, parseJaas } from './jaas.ts'
import { tokenProvider } from './oauth.ts'

/** How brokers are reached. */
export interface KafkaConnection {
  readonly bootstrap: readonly { readonly host: string; readonly port: number }[]
  readonly clientId: string
  readonly tls?: TlsOptions
  readonly sasl?: SaslLogin
  /** For one request. */
  readonly requestTimeoutMs: number
  /** For one call with all its repetitions. */
  readonly callTimeoutMs: number
  readonly connectTimeoutMs: number
  readonly backoffMs: number
  readonly maxBackoffMs: number
}
export interface SaslLogin {
  readonly mechanism: (typeof mechanisms)[number]
  readonly username?: string
  readonly password?: string
  readonly token?: () => Promise<string>
}

const protocols = ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'] as const
const mechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'] as const

/** Reads and checks the properties that concern the connection; reads certificates. InvalidQueryError; secrets stay out of messages. */
export function connectionOf(properties: ClientProperties, defaultClientId: string): KafkaConnection {
  const protocol = properties.oneOf('security.protocol', protocols, 'PLAINTEXT')
  const tls = protocol.endsWith('SSL') ? tlsOptions(properties) : undefined
  const sasl = protocol.startsWith('SASL') ? saslLogin(properties) : undefined
  if (sasl === undefined && properties.text('sasl.jaas.config') !== undefined) {
    throw new InvalidQueryError('INVALID_OPTION_VALUE', {
      what: `kafka.sasl.jaas.config was given, and kafka.security.protocol is ${protocol}, which does not log in`,
      todo: 'set kafka.security.protocol to SASL_SSL, or to SASL_PLAINTEXT where the network is trusted',
    })
  }
  return {
    bootstrap: bootstrapServers(properties),
    clientId: properties.text('client.id') ?? defaultClientId,
    ...(tls ? { tls } : {}),
    ...(sasl ? { sasl } : {}),
    requestTimeoutMs: properties.durationMs('request.timeout.ms', 30_000),
    callTimeoutMs: properties.durationMs('default.api.timeout.ms', 60_000),
    connectTimeoutMs: properties.durationMs('socket.connection.setup.timeout.ms', 10_000),
    backoffMs: properties.durationMs('retry.backoff.ms', 100),
    maxBackoffMs: properties.durationMs('retry.backoff.max.ms', 1000),
  }
}

function bootstrapServers(properties: ClientProperties): { host: string; port: number }[] {
  const text = properties.required('bootstrap.servers', 'localhost:9092')
  return text.split(',').flatMap((part) => {
    const entry = part.trim()
    if (entry === '') return []
    const match = /^(?:[A-Z_]+:\/\/)?(?:\[([0-9a-f:.]+)\]|([^\s:[\]]+)):(\d{1,5})$/i.exec(entry)
    if (!match || Number(match[3]) > 65_535) return properties.invalid('bootstrap.servers', 'a list host:port,host:port')
    return [{ host: match[1] ?? match[2]!, port: Number(match[3]) }]
  })
}

// ---- TLS

function tlsOptions(properties: ClientProperties): TlsOptions {
  const versions = properties
    .text('ssl.enabled.protocols')
    ?.split(',')
    .map((each) => each.trim()) as TlsOptions['minVersion'][] | undefined
  const known = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3']
  if (versions?.some((each) => !known.includes(each!))) properties.invalid('ssl.enabled.protocols', `a list of ${known.join(', ')}`)
  versions?.sort()
  const check = properties.text('ssl.endpoint.identification.algorithm')
  if (check !== undefined && check !== '' && check.toLowerCase() !== 'https') {
    properties.invalid('ssl.endpoint.identification.algorithm', 'https, or empty to leave the host name unchecked')
  }
  const ciphers = properties.text('ssl.cipher.suites')
  return {
    ...trustStore(properties),
    ...keyStore(properties),
    ...(versions ? { minVersion: versions[0]!, maxVersion: versions.at(-1)! } : {}),
    ...(ciphers === undefined ? {} : { ciphers: ciphers.replaceAll(',', ':') }),
    ...(check === '' ? { checkServerIdentity: () => undefined } : {}),
  }
}

function trustStore(properties: ClientProperties): TlsOptions {
  const certificates = properties.text('ssl.truststore.certificates')
  if (certificates !== undefined) return { ca: certificates }
  const file = properties.text('ssl.truststore.location')
  if (file === undefined) return {}
  requirePem(properties, 'ssl.truststore', file)
  return { ca: readCertificates(file, 'ssl.truststore.location') }
}

function keyStore(properties: ClientProperties): TlsOptions {
  const password = properties.text('ssl.key.password') ?? properties.text('ssl.keystore.password')
  const passphrase = password === undefined ? {} : { passphrase: password }
  const chain = properties.text('ssl.keystore.certificate.chain')
  const key = properties.text('ssl.keystore.key')
  if (chain !== undefined && key !== undefined) return { cert: chain, key, ...passphrase }
  const file = properties.text('ssl.keystore.location')
  if (file === undefined) return {}
  const bytes = readCertificates(file, 'ssl.keystore.location')
  if (storeType(properties, 'ssl.keystore', file) === 'PKCS12') return { pfx: bytes, ...passphrase }
  requirePem(properties, 'ssl.keystore', file)
  return { cert: bytes, key: bytes, ...passphrase }
}

function storeType(properties: ClientProperties, store: string, file: string): string {
  return properties.text(`${store}.type`)?.toUpperCase() ?? (/\.(p12|pfx)$/i.test(file) ? 'PKCS12' : /\.jks$/i.test(file) ? 'JKS' : 'PEM')
}
function requirePem(properties: ClientProperties, store: string, file: string): void {
  const type = storeType(properties, store, file)
  if (type === 'PEM') return
  throw new InvalidQueryError('INVALID_OPTION_VALUE', {
    what: `kafka.${store}.location = ${file} is a store of type ${type}, which Node.js does not read`,
    todo: `export it: keytool -exportcert -rfc -keystore ${file} -file certificates.pem (or openssl pkcs12 -in … -out …), and set kafka.${store}.type = PEM`,
  })
}
function readCertificates(file: string, name: string): Buffer {
  try {
    return readFileSync(file)
  } catch (cause) {
    throw new InvalidQueryError('INVALID_OPTION_VALUE', {
      what: `kafka.${name} = ${file} could not be read: ${(cause as Error).message}`,
      todo: 'give the path of a file that this process may read',
      cause,
    })
  }
}

// ---- SASL

function saslLogin(properties: ClientProperties): SaslLogin {
  // the Java client's default, Kerberos, is not there
  const mechanism = properties.oneOf('sasl.mechanism', mechanisms, properties.required('sasl.mechanism', mechanisms[2]) as 'PLAIN')
  const text = properties.text('sasl.jaas.config')
  const jaas = text === undefined ? undefined : parseJaas(text)
  if (text !== undefined && jaas === undefined) properties.invalid('sasl.jaas.config', jaasForm)
  if (mechanism === 'OAUTHBEARER') return { mechanism, token: oauthToken(properties, jaas) }
  const { username, password } = jaas?.options ?? {}
  if (username !== undefined && password !== undefined) return { mechanism, username, password }
  throw new InvalidQueryError('MISSING_OPTION', {
    what: `kafka.sasl.mechanism = ${mechanism} needs a name and a password, and kafka.sasl.jaas.config has ${text === undefined ? 'not been set' : 'none'}`,
    todo: `set kafka.sasl.jaas.config to ${jaasForm}`,
  })
}
const jaasForm =
  'a login like: org.apache.kafka.common.security.scram.ScramLoginModule required username="…" password="…"; (PlainLoginModule for PLAIN)'

function oauthToken(properties: ClientProperties, jaas: JaasLogin | undefined): () => Promise<string> {
  const options = jaas?.options ?? {}
  const url = properties.text('sasl.oauthbearer.token.endpoint.url')
  if (url?.startsWith('file:')) return tokenProvider({ kind: 'file', url })
  const clientId = properties.text('sasl.oauthbearer.client.credentials.client.id') ?? options['clientId']
  const clientSecret = properties.text('sasl.oauthbearer.client.credentials.client.secret') ?? options['clientSecret']
  const scope = properties.text('sasl.oauthbearer.scope') ?? options['scope']
  if (url !== undefined && clientId !== undefined && clientSecret !== undefined) {
    if (!/^https?:\/\//.test(url))
      properties.invalid('sasl.oauthbearer.token.endpoint.url', 'a URL that begins with https:, http: or file:')
    return tokenProvider({ kind: 'endpoint', url, clientId, clientSecret, ...(scope === undefined ? {} : { scope }) })
  }
  const subject = options['unsecuredLoginStringClaim_sub']
  if (url === undefined && subject !== undefined) return tokenProvider({ kind: 'unsecured', subject })
  throw new InvalidQueryError('MISSING_OPTION', {
    what: 'kafka.sasl.mechanism = OAUTHBEARER was set, and nothing says where tokens come from',
    todo: 'set kafka.sasl.oauthbearer.token.endpoint.url, and clientId="…" clientSecret="…" in kafka.sasl.jaas.config',
  })
}
