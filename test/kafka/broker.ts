import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { endWith } from '../servers/end-with.ts'
import { freePorts } from '../servers/free-ports.ts'
import { installBroker } from './install.ts'
import { type SecureListeners, secureListeners } from './secure-listeners.ts'

export interface BrokerOptions {
  /** Where data and logs lie; a new temporary folder where it is left out. One that has data already is started with it. */
  readonly folder?: string
  /** More lines of server.properties. */
  readonly properties?: Readonly<Record<string, string>>
  /** Listeners with TLS and SASL beside the plain one. */
  readonly secure?: boolean
  /** `throughput`: the compiler and heap of a broker that is measured; else those of one that starts fast. */
  readonly tuned?: 'start' | 'throughput'
  /** The process that the broker must not outlive, by its pid, where it is not this one: it then serves several processes, and somebody else ends it. */
  readonly owner?: number
  /** A second plain listener that tells clients to come to this port of loopback: a proxy that listens there stands between them and the broker. */
  readonly proxyPort?: number
}

/**
 * A real Kafka broker on loopback: one node that is broker and controller, on ports that were free. Ports, data and credentials stay
 * the same over `restart`. Whoever starts one stops it: `await using broker = await Broker.start()`.
 */
export class Broker {
  readonly folder: string
  readonly port: number
  readonly secure: SecureListeners | undefined
  readonly #options: BrokerOptions
  readonly #classPath: string
  readonly #controllerPort: number
  readonly #behindProxy: number | undefined
  readonly #isTemporary: boolean
  #process: ChildProcess | undefined

  private constructor(options: BrokerOptions, classPath: string, ports: readonly number[]) {
    this.#options = options
    this.#classPath = classPath
    this.#isTemporary = options.folder === undefined
    this.folder = options.folder ?? mkdtempSync(join(tmpdir(), 'millrace-kafka-'))
    mkdirSync(join(this.folder, 'data'), { recursive: true })
    this.port = ports[0]!
    this.#controllerPort = ports[1]!
    this.#behindProxy = options.proxyPort === undefined ? undefined : ports[2]!
    this.secure = options.secure ? secureListeners(this.folder, ports.slice(3)) : undefined
  }

  static async start(options: BrokerOptions = {}): Promise<Broker> {
    const classPath = installBroker()
    const broker = new Broker(options, classPath, await freePorts(options.secure ? 6 : 3))
    writeFileSync(broker.#configFile, broker.#config())
    if (!existsSync(join(broker.folder, 'data', 'meta.properties'))) broker.#format()
    await broker.#launch()
    return broker
  }

  /** host:port of the plain listener. */
  get bootstrap(): string {
    return `127.0.0.1:${this.port}`
  }
  get pid(): number {
    return this.#process!.pid!
  }
  /** The port of the listener that a proxy passes its clients on to. */
  get portBehindProxy(): number {
    if (this.#behindProxy === undefined) throw new Error('the broker was started without proxyPort')
    return this.#behindProxy
  }

  /** Ends the broker as an operator would, and waits until it is gone. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM')
    if (this.#isTemporary) rmSync(this.folder, { recursive: true, force: true })
  }
  /** Ends it without a chance to write anything more; its data stays for `restart`. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }
  /** Starts it again over the same data and on the same ports; `signal` says how it is ended where it runs. */
  async restart(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    await this.#end(signal)
    await this.#launch()
  }
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  /** Runs a command of Kafka's distribution by the name of its class, as `org.apache.kafka.tools.TopicCommand`; gives what it printed. */
  tool(mainClass: string, args: readonly string[], input?: string): string {
    const ran = spawnSync('java', [...startFlags, '-cp', this.#classPath, mainClass, ...args], { encoding: 'utf8', input })
    if (ran.status !== 0) throw new Error(`${mainClass} ${args.join(' ')} failed:\n${ran.stdout}${ran.stderr}`)
    return ran.stdout
  }

  /** The same as a process that goes on beside this one and ends with it. */
  spawnTool(mainClass: string, args: readonly string[]): ChildProcess {
    const child = spawn('java', [...startFlags, '-cp', this.#classPath, mainClass, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    endWith(process.pid, child.pid!)
    return child
  }

  get #configFile(): string {
    return join(this.folder, 'server.properties')
  }
  get #logFile(): string {
    return join(this.folder, 'broker.log')
  }

  #format(): void {
    const random = crypto.getRandomValues(new Uint8Array(16))
    // an id that begins with a hyphen would be read as an option
    random[0]! &= 0x7f
    const clusterId = Buffer.from(random).toString('base64url')
    const scram = this.secure?.scramUsers.flatMap((user) => ['--add-scram', user]) ?? []
    this.tool('kafka.tools.StorageTool', ['format', '--standalone', '--cluster-id', clusterId, '--config', this.#configFile, ...scram])
  }

  async #launch(): Promise<void> {
    const log = openSync(this.#logFile, 'w')
    const flags = this.#options.tuned === 'throughput' ? throughputFlags : startFlags
    const logging = [`-Dlog4j2.configurationFile=${join(import.meta.dirname, 'log4j2.properties')}`, `-Dkafka.logs.dir=${this.folder}`]
    const child = spawn('java', [...flags, ...logging, '-cp', this.#classPath, 'kafka.Kafka', this.#configFile], {
      stdio: ['ignore', log, log],
      detached: this.#options.owner !== undefined,
    })
    closeSync(log)
    this.#process = child
    if (this.#options.owner !== undefined) child.unref()
    endWith(this.#options.owner ?? process.pid, child.pid!)
    for (const deadlineMs = Date.now() + 90_000; ; ) {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`the broker ended:\n${readFileSync(this.#logFile, 'utf8')}`)
      if (readFileSync(this.#logFile, 'utf8').includes('Kafka Server started') && (await isOpen(this.port))) return
      if (Date.now() > deadlineMs) {
        child.kill('SIGKILL')
        throw new Error(`the broker was not ready within 90 s:\n${readFileSync(this.#logFile, 'utf8')}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  async #end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    child.kill(signal)
    const stubborn = setTimeout(() => child.kill('SIGKILL'), 20_000)
    await once(child, 'exit')
    clearTimeout(stubborn)
  }

  #config(): string {
    const plain = `PLAINTEXT://127.0.0.1:${this.port}`
    const controller = `CONTROLLER://127.0.0.1:${this.#controllerPort}`
    const { proxyPort } = this.#options
    const listeners = (portOfProxied: number | undefined) => {
      const proxied = portOfProxied === undefined ? [] : [`PROXIED://127.0.0.1:${portOfProxied}`]
      return [plain, controller, ...proxied, ...(this.secure?.listeners ?? [])].join(',')
    }
    const protocols = ['PLAINTEXT:PLAINTEXT', 'CONTROLLER:PLAINTEXT', 'PROXIED:PLAINTEXT', ...(this.secure?.protocols ?? [])]
    const properties: Record<string, string> = {
      'process.roles': 'broker,controller',
      'node.id': '1',
      'controller.quorum.bootstrap.servers': `127.0.0.1:${this.#controllerPort}`,
      listeners: listeners(this.#behindProxy),
      'advertised.listeners': listeners(proxyPort),
      'listener.security.protocol.map': protocols.join(','),
      'controller.listener.names': 'CONTROLLER',
      'inter.broker.listener.name': 'PLAINTEXT',
      'log.dirs': join(this.folder, 'data'),
      // one node holds every internal topic alone
      'offsets.topic.replication.factor': '1',
      'transaction.state.log.replication.factor': '1',
      'transaction.state.log.min.isr': '1',
      'share.coordinator.state.topic.replication.factor': '1',
      'share.coordinator.state.topic.min.isr': '1',
      'offsets.topic.num.partitions': '4',
      'transaction.state.log.num.partitions': '4',
      'share.coordinator.state.topic.num.partitions': '1',
      'group.initial.rebalance.delay.ms': '0',
      // a transaction that ran out of time is ended soon
      'transaction.abort.timed.out.transaction.cleanup.interval.ms': '250',
      'auto.create.topics.enable': 'false',
      // a broker that was killed may register again as soon as its old session has ended
      'broker.session.timeout.ms': '1500',
      'broker.heartbeat.interval.ms': '300',
      'num.network.threads': '2',
      'num.io.threads': '2',
      'log.cleaner.dedupe.buffer.size': '2097152',
      'log.cleaner.backoff.ms': '250',
      // records carry the timestamps that tests give them
      'log.retention.ms': '-1',
      'log.initial.task.delay.ms': '500',
      ...this.secure?.properties,
      ...this.#options.properties,
    }
    return Object.entries(properties)
      .map(([name, value]) => `${name}=${value}\n`)
      .join('')
  }
}

const startFlags = ['-Xms64m', '-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto']
const throughputFlags = ['-Xms512m', '-Xmx1g', '-XX:+UseG1GC']

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
