import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import https from 'node:https'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { inject } from 'vitest'
import { endWith } from '../servers/end-with.ts'
import { freePorts } from '../servers/free-ports.ts'
import { describeServer } from '../servers/shared-server.ts'

/**
 * A real OpenSearch for the tests: its jars come from Maven Central into a cache folder, once a machine, and a few lines of Java start a node, as its own integration tests do. Needs a JDK of
 * Java 17 or newer, and Maven.
 */
const here = join(import.meta.dirname, 'opensearch')
const version = /<opensearch\.version>(.*)<\/opensearch\.version>/.exec(readFileSync(join(here, 'pom.xml'), 'utf8'))![1]!
const cache = process.env['MILLRACE_OPENSEARCH_CACHE'] ?? join(homedir(), '.cache', 'millrace-opensearch')
const jars = join(cache, version)

function jarsAreThere(): boolean {
  return existsSync(jars) && readdirSync(jars).some((name) => name.startsWith(`opensearch-${version}`))
}
function whyNot(): string | undefined {
  const javac = spawnSync('javac', ['-version'], { encoding: 'utf8' })
  if (javac.status !== 0) return 'there is no javac on this machine (a JDK of Java 17 or newer)'
  if (!(Number(/(\d+)/.exec(javac.stdout + javac.stderr)?.[1]) >= 17))
    return `its ${(javac.stdout + javac.stderr).trim()} is too old (Java 17)`
  if (!jarsAreThere() && spawnSync('mvn', ['-v']).status !== 0) return 'there is no mvn on this machine to fetch OpenSearch with'
  return undefined
}
export const describeSearch = describeServer('OpenSearch', whyNot())

/** Into a folder of its own that is renamed when it is whole, so that two processes may do it at once. */
function installJars(): void {
  if (jarsAreThere()) return
  const building = `${jars}.${process.pid}`
  mkdirSync(building, { recursive: true })
  const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.0:copy-dependencies'
  const ran = spawnSync('mvn', ['-B', '-q', '-f', join(here, 'pom.xml'), goal, `-DoutputDirectory=${building}`], { encoding: 'utf8' })
  if (ran.status !== 0) throw new Error(`Maven could not fetch OpenSearch ${version}:\n${ran.stdout}${ran.stderr}`)
  try {
    renameSync(building, jars)
  } catch (error) {
    rmSync(building, { recursive: true, force: true })
    if (!jarsAreThere()) throw error
  }
}

export interface SearchServer {
  readonly url: string
  end(): Promise<void>
}
/** A node of a test file's own; it ends with the test run however that ends. */
export async function startSearch(): Promise<SearchServer> {
  installJars()
  const folder = mkdtempSync(join(tmpdir(), 'millrace-opensearch-'))
  mkdirSync(join(folder, 'config'))
  const [port, transport] = await freePorts(2)
  const log = openSync(join(folder, 'node.log'), 'w')
  const args = ['-Xms256m', '-Xmx512m', '-cp', join(jars, '*'), join(here, 'SearchNode.java'), folder, String(port), String(transport)]
  const child = spawn('java', args, { stdio: ['ignore', log, log] })
  endWith(inject('servers').runner, child.pid!)
  const url = `http://127.0.0.1:${port}`
  for (const deadlineMs = Date.now() + 120_000; ; ) {
    const answers = await fetch(url).then(
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
