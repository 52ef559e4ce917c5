import { chmodSync, chownSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram, runProgram } from './shared-server.ts'

/** PEM files of a server whose name is `localhost`, and of the authorities that tests know. */
export interface Certificates {
  readonly cert: string
  readonly key: string
  /** The authority that signed it. */
  readonly ca: string
  /** Another one. */
  readonly otherCa: string
  /** Of the user `certified`, signed by the server's authority. */
  readonly clientCert: string
  readonly clientKey: string
}

/** Beside the folder of a server's data: made once, readable for the user that the server runs as. */
export function certificatesFor(folder: string, { uid, gid }: { uid?: number; gid?: number } = {}): Certificates {
  const place = `${folder}-tls`
  const at = (name: string) => join(place, name)
  const found = {
    cert: at('server.pem'),
    key: at('server.key'),
    ca: at('ca.pem'),
    otherCa: at('other-ca.pem'),
    clientCert: at('client.pem'),
    clientKey: at('client.key'),
  }
  if (existsSync(found.cert)) return found
  mkdirSync(place, { recursive: true })
  const openssl = findProgram('openssl')
  if (openssl === undefined) throw new Error('there is no openssl (Debian: apt-get install openssl)')
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  for (const name of ['ca', 'other-ca'])
    runProgram(openssl, [
      'req',
      '-x509',
      ...curve,
      '-days',
      '2',
      '-subj',
      `/CN=Millrace tests ${name}`,
      '-keyout',
      at(`${name}.key`),
      '-out',
      at(`${name}.pem`),
    ])
  writeFileSync(at('names'), 'subjectAltName=DNS:localhost\n')
  const sign = (subject: string, key: string, cert: string, extra: readonly string[] = []) => {
    runProgram(openssl, ['req', ...curve, '-subj', `/CN=${subject}`, '-keyout', key, '-out', `${cert}.csr`])
    const authority = ['-CA', found.ca, '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '2', ...extra]
    runProgram(openssl, ['x509', '-req', '-in', `${cert}.csr`, ...authority, '-out', cert])
  }
  sign('certified', found.clientKey, found.clientCert)
  sign('localhost', found.key, found.cert, ['-extfile', at('names')])
  chmodSync(found.key, 0o600)
  if (uid !== undefined && gid !== undefined) for (const path of [place, found.key, found.cert, found.ca]) chownSync(path, uid, gid)
  return found
}
