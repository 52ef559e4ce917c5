import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Broker } from '../broker.ts'

export interface Delivered {
  readonly partition: number
  readonly offset: number
  readonly value: string
}

/** Kafka's own console consumer over one topic from its beginning: it reads along while the rounds run. */
export class ConsoleReader {
  /** By `<partition>-<offset>`, in the order in which they came. */
  readonly delivered = new Map<string, Delivered>()
  /** Places that were delivered again, with another value. */
  readonly changed: string[] = []
  readonly #process: ChildProcess
  #errorText = ''

  constructor(broker: Broker, topic: string, isolation: string) {
    const format = ['--formatter-property', 'print.partition=true', '--formatter-property', 'print.offset=true']
    const args = ['--bootstrap-server', broker.bootstrap, '--topic', topic, '--from-beginning', '--isolation-level', isolation]
    this.#process = broker.spawnTool('org.apache.kafka.tools.consumer.ConsoleConsumer', [...args, ...format])
    this.#process.stderr!.on('data', (text) => void (this.#errorText += String(text)))
    createInterface(this.#process.stdout!).on('line', (line) => this.#take(line))
  }
  /** Waits until it has delivered what `isThere` looks for; false after so many milliseconds. */
  async waitFor(isThere: () => boolean, timeoutMs: number): Promise<boolean> {
    for (const deadlineMs = Date.now() + timeoutMs; !isThere(); ) {
      if (Date.now() > deadlineMs) return false
      if (this.#process.exitCode !== null) throw new Error(`the console consumer ended:\n${this.#errorText}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    return true
  }
  stop(): void {
    this.#process.kill('SIGKILL')
  }

  #take(line: string): void {
    const found = /^Partition:(\d+)\tOffset:(\d+)\t(.*)$/.exec(line)
    if (!found) return
    const [partition, offset, value] = [Number(found[1]), Number(found[2]), found[3]!]
    const key = `${partition}-${offset}`
    const before = this.delivered.get(key)
    if (before && before.value !== value) this.changed.push(`${key}: ${before.value}, then ${value}`)
    this.delivered.set(key, { partition, offset, value })
  }
}
