import { inject } from 'vitest'
import { describeServer, sharedServer, uniqueName as unique } from '../servers/shared-server.ts'
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

/** `describe` for tests against a real broker: left out, with a message, on a machine that can't have one; required where CI is set. */
export const describeKafka = describeServer('Kafka', whyNoBroker())

/**
 * The broker of this test run, started by the first file that asks for it and ended after the last (global-setup.ts). Topics are the
 * files' own: take names from `uniqueName`. A test that stops its broker or changes its limits starts one of its own.
 */
export function sharedBroker(): Promise<SharedBroker> {
  return sharedServer('kafka', async (folder) => {
    const broker = await Broker.start({ folder, secure: true, owner: inject('servers').runner })
    return { bootstrap: broker.bootstrap, pid: broker.pid, secure: broker.secure!, folder: broker.folder }
  })
}

/** A name that no other test of the run has: `clicks-8231-4`. */
export function uniqueName(stem: string): string {
  return unique(stem, '-')
}
