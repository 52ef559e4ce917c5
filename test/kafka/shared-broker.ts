import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, inject } from 'vitest'
import { Broker } from './broker.ts'
import { whyNoBroker } from './install.ts'
import type { SecureListeners } from './secure-listeners.ts'

/** What tests need to know of the one broker that all test files of a run share. */
export interface SharedBroker {
  readonly bootstrap: string
  readonly pid: number
  readonly folder: string
  readonly secure: SecureListeners
}

const reason = whyNoBroker()
if (reason !== undefined && process.env['CI']) throw new Error(`tests against Kafka are required where CI is set: ${reason}`)
if (reason !== undefined) console.warn(`tests against Kafka are left out: ${reason}`)

/** `describe` for tests against a real broker: left out, with a message, on a machine that can't have one; required where CI is set. */
export const describeKafka = describe.skipIf(reason !== undefined)

/**
 * The broker of this test run, started by the first file that asks for it and ended after the last (global-setup.ts). Topics are the
 * files' own: take names from `uniqueName`. A test that stops its broker or changes its limits starts one of its own.
 */
export async function sharedBroker(): Promise<SharedBroker> {
  const folder = inject('kafkaFolder')
  const noted = join(folder, 'broker.json')
  if (!existsSync(noted) && isFirst(folder)) {
    try {
      const broker = await Broker.start({ folder: join(folder, 'broker'), secure: true, owner: inject('testRun') })
      const { bootstrap, pid, secure } = broker
      note(noted, { bootstrap, pid, secure, folder: broker.folder })
    } catch (error) {
      note(noted, { error: String(error) })
    }
  }
  for (const deadlineMs = Date.now() + 120_000; !existsSync(noted); ) {
    if (Date.now() > deadlineMs) throw new Error(`no broker was noted in ${noted} within 120 s`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  const told = JSON.parse(readFileSync(noted, 'utf8')) as SharedBroker & { readonly error?: string }
  if (told.error !== undefined) throw new Error(told.error)
  return told
}

let names = 0
/** A name that no other test of the run has: `clicks-8231-4`. */
export function uniqueName(stem: string): string {
  return `${stem}-${process.pid}-${++names}`
}

function isFirst(folder: string): boolean {
  try {
    mkdirSync(join(folder, 'claimed'))
    return true
  } catch {
    return false
  }
}
/** Whole or not at all. */
function note(file: string, value: object): void {
  writeFileSync(`${file}.tmp`, JSON.stringify(value))
  renameSync(`${file}.tmp`, file)
}
