import { readdir, rm, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import type { Loss } from '../../src/testing/sim-file-system.ts'
import { type Scenario, scenarios } from './scenarios.ts'

/** The same scenario with its state in RocksDB. */
export function onRocksdb(scenario: Scenario): Scenario {
  return { ...scenario, name: `${scenario.name}${suffix}`, provider: 'rocksdb' }
}
const suffix = ', on RocksDB'

/** Each scenario, and each with the other provider of state. */
export const allScenarios: readonly Scenario[] = [...scenarios, ...scenarios.map(onRocksdb)]

/**
 * What a loss of power does to the local database, which the simulated file system does not see: it is gone, or its newest log is cut, or (its writer
 * syncs nothing) it stays as it was.
 */
export async function loseLocalState(root: string, { unsynced, entries }: Loss): Promise<void> {
  const folder = join(root, 'checkpoint/local')
  if (entries === 'undo') return rm(folder, { recursive: true, force: true })
  if (unsynced !== 'tear-half' && unsynced !== 'zero') return
  const names = await readdir(join(folder, 'db')).catch(() => [])
  for (const path of names.filter((name) => name.endsWith('.log')).map((name) => join(folder, 'db', name))) {
    const { size } = await stat(path)
    await truncate(path, Math.floor(size / 2))
  }
}
