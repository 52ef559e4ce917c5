import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import https from 'node:https'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { inject } from 'vitest'
import { endWith } from '../servers/end-with.ts'
import { freePorts } from '../servers/free-ports.ts'
import { describeServer } from '../servers/shared-server.ts'

/**
 * Real servers for the tests: their jars come from Maven Central into a cache folder, once a machine, and a few lines of Java start a node, as their own integration tests do. Needs a JDK of
 * Java 17 or newer, and Maven.
 */
export type SearchKind = 'OpenSearch' | 'Elasticsearch'
export const searchKinds: readonly SearchKind[] = ['OpenSearch', 'Elasticsearch']

interface Installation {
  readonly kind: SearchKind
  readonly version: string
  /** Where its pom and its Java are. */
  readonly source: string
  readonly jars: string
}
function installationOf(kind: SearchKind): Installation {
  const name = kind.toLowerCase()
  const source = join(import.meta.dirname, name)
  const version = /<server\.version>(.*)<\/server\.version>/.exec(readFileSync(join(source, 'pom.xml'), 'utf8'))![1]!
  const cache = process.env[`MILLRACE_${kind.toUpperCase()}_CACHE`] ?? join(homedir(), '.cache', `millrace-${name}`)
  return { kind, version, source, jars: join(cache, version) }
}
function jarsAreThere({ kind, version, jars }: Installation): boolean {
  return existsSync(join(jars, `${kind.toLowerCase()}-${version}.jar`))
}
function whyNot(kind: SearchKind): string | undefined {
  const javac = spawnSync('javac', ['-version'], { encoding: 'utf8' })
  if (javac.status !== 0) return 'there is no javac on this machine (a JDK of Java 17 or newer)'
  if (!(Number(/(\d+)/.exec(javac.stdout + javac.stderr)?.[1]) >= 17))
    return `its ${(javac.stdout + javac.stderr).trim()} is too old (Java 17)`
  if (!jarsAreThere(installationOf(kind)) && spawnSync('mvn', ['-v']).status !== 0)
    return `there is no mvn on this machine to fetch ${kind} with`
  return undefined
}
export function describeSearch(kind: SearchKind, tests: () => void) {
  return describeServer(kind, whyNot(kind))(kind, tests)
}

/** Into a folder of its own that is renamed when it is whole, so that two processes may do it at once. */
function installJars(installation: Installation): void {
  if (jarsAreThere(installation)) return
  const { kind, version, source, jars } = installation
  const building = `${jars}.${process.pid}`
  mkdirSync(building, { recursive: true })
  const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.0:copy-dependencies'
  const ran = spawnSync('mvn', ['-B', '-q', '-f', join(source, 'pom.xml'), goal, `-DoutputDirectory=${building}`], { encoding: 'utf8' })
  if (ran.status !== 0) throw new Error(`Maven could not fetch ${kind} ${version}:\n${ran.stdout}${ran.stderr}`)
  if (kind === 'Elasticsearch') makeModule(building, version)
  try {
    renameSync(building, jars)
  } catch (error) {
    rmSync(building, { recursive: true, force: true })
    if (!jarsAreThere(installation)) throw error
  }
}
/** Elasticsearch loads HTTP from a folder of modules, whose jars it does not want among its own. */
function makeModule(jars: string, version: string): void {
  const module = join(jars, 'modules', 'transport-netty4')
  mkdirSync(module, { recursive: true })
  for (const name of readdirSync(jars)) if (/^(?:netty|transport-netty4)-/.test(name)) renameSync(join(jars, name), join(module, name))
  const said = {
    name: 'transport-netty4',
    description: 'HTTP and transport',
    version,
    'elasticsearch.version': version,
    'java.version': '17',
    classname: 'org.elasticsearch.transport.netty4.Netty4Plugin',
  }
  const lines = Object.entries(said).map(([key, value]) => `${key}=${value}\n`)
  writeFileSync(join(module, 'plugin-descriptor.properties'), lines.join(''))
}

export interface SearchServer {
  readonly url: string
  end(): Promise<void>
}
/** A node of a test file's own; it ends with the test run however that ends. */
export async function startSearch(kind: SearchKind): Promise<SearchServer> {
  const installation = installationOf(kind)
  installJars(installation)
  const { jars, source } = installation
  const folder = mkdtempSync(join(tmpdir(), `millrace-${kind.toLowerCase()}-`))
  if (existsSync(join(jars, 'modules'))) symlinkSync(join(jars, 'modules'), join(folder, 'modules'))
  mkdirSync(join(folder, 'config'))
  const [port, transport] = await freePorts(2)
  const log = openSync(join(folder, 'node.log'), 'w')
  const args = ['-Xms256m', '-Xmx512m', '-cp', join(jars, '*'), join(source, 'SearchNode.java'), folder, String(port), String(transport)]
  const child = spawn('java', args, { stdio: ['ignore', log, log] })
  endWith(inject('servers').runner, child.pid!)
  const url = `http://127.0.0.1:${port}`
  for (const deadlineMs = Date.now() + 120_000; ; ) {
    const answers = await fetch(`${url}/_cluster/health`).then(
      ({ ok }) => ok,
      () => false,
    )
    if (answers) break
    if (Date.now() > deadlineMs || child.exitCode !== null) throw new Error(readFileSync(join(folder, 'node.log'), 'utf8').slice(-4000))
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return { url, end: () => end(child, folder) }
}
async function end(child: ChildProcess, folder: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
  }
  rmSync(folder, { recursive: true, force: true })
}

/** What a proxy does with a request: nothing (it is passed on), or an answer of its own, or what it makes of the server's. */
export type Meddle = (
  request: IncomingMessage,
  body: string,
  pass: () => Promise<{ status: number; body: string }>,
) => Promise<{ status: number; body: string } | 'cut'>

/** Stands between the sink and the server, with TLS where it has a key. */
export async function meddlingProxy(target: string, tls?: { readonly key: Buffer; readonly cert: Buffer }) {
  let meddle: Meddle = (_request, _body, pass) => pass()
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const body = Buffer.concat(parts).toString()
    const pass = async () => {
      const headers = { 'content-type': request.headers['content-type'] ?? 'application/json' }
      const { method = 'GET' } = request
      const reply = await fetch(`${target}${request.url}`, { method, headers, ...(body !== '' && { body }) })
      return { status: reply.status, body: await reply.text() }
    }
    const reply = await meddle(request, body, pass)
    if (reply === 'cut') return void request.socket.destroy()
    response.writeHead(reply.status, { 'content-type': 'application/json' }).end(reply.body)
  }
  const listen = (request: IncomingMessage, response: ServerResponse) => void serve(request, response)
  const server = tls ? https.createServer(tls, listen) : http.createServer(listen)
  const [port] = await freePorts(1)
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    set meddle(next: Meddle) {
      meddle = next
    },
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** A key and a certificate for 127.0.0.1, signed by itself; both as files. */
export function selfSigned(folder: string): { readonly key: Buffer; readonly cert: Buffer; readonly certPath: string } {
  const [keyPath, certPath] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
  const ran = spawnSync('openssl', [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '2',
    '-keyout',
    keyPath,
    '-out',
    certPath,
    ...subject,
  ])
  if (ran.status !== 0) throw new Error(String(ran.stderr))
  return { key: readFileSync(keyPath), cert: readFileSync(certPath), certPath }
}
