import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Listeners with TLS and SASL of a test broker, and what a client needs for them. */
export interface SecureListeners {
  /** host:port of: TLS · SASL over plain TCP · SASL over TLS. */
  readonly tls: string
  readonly sasl: string
  readonly saslTls: string
  /** The authority that signed the broker's certificate: a PEM file. */
  readonly caFile: string
  readonly listeners: readonly string[]
  readonly protocols: readonly string[]
  /** For `StorageTool format --add-scram`. */
  readonly scramUsers: readonly string[]
  readonly properties: Readonly<Record<string, string>>
}

/** The one user that all mechanisms know. */
export const testUser = { name: 'mill', password: 'wheel-and-water' }

const loginModules = {
  plain: `org.apache.kafka.common.security.plain.PlainLoginModule required username="broker" password="b" user_broker="b" user_${testUser.name}="${testUser.password}";`,
  'scram-sha-256': 'org.apache.kafka.common.security.scram.ScramLoginModule required;',
  'scram-sha-512': 'org.apache.kafka.common.security.scram.ScramLoginModule required;',
  oauthbearer: 'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";',
}
const unsecuredTokens = 'org.apache.kafka.common.security.oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler'

/** Writes a certificate for 127.0.0.1 into the folder and lays out three listeners on the three ports. */
export function secureListeners(folder: string, ports: readonly number[]): SecureListeners {
  const [tls, sasl, saslTls] = ports.map((port) => `127.0.0.1:${port}`) as [string, string, string]
  const caFile = join(folder, 'broker.crt')
  const keyFile = join(folder, 'broker.key')
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost']
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '30', '-keyout', keyFile, '-out', caFile, ...subject],
    {
      stdio: 'ignore',
    },
  )
  const keyStore = join(folder, 'broker.pem')
  writeFileSync(keyStore, readFileSync(keyFile, 'utf8') + readFileSync(caFile, 'utf8'))
  const mechanisms = Object.entries(loginModules)
  const jaas = ['sasl', 'sasl_tls'].flatMap((listener) => [
    ...mechanisms.map(([name, module]) => [`listener.name.${listener}.${name}.sasl.jaas.config`, module]),
    [`listener.name.${listener}.oauthbearer.sasl.server.callback.handler.class`, unsecuredTokens],
  ])
  return {
    tls,
    sasl,
    saslTls,
    caFile,
    listeners: [`TLS://${tls}`, `SASL://${sasl}`, `SASL_TLS://${saslTls}`],
    protocols: ['TLS:SSL', 'SASL:SASL_PLAINTEXT', 'SASL_TLS:SASL_SSL'],
    scramUsers: ['SCRAM-SHA-256', 'SCRAM-SHA-512'].map((each) => `${each}=[name=${testUser.name},password=${testUser.password}]`),
    properties: {
      'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
      'ssl.keystore.type': 'PEM',
      'ssl.keystore.location': keyStore,
      ...Object.fromEntries(jaas),
    },
  }
}
