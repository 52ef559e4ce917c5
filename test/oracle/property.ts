/** What the property tests of this folder share: how many runs, from which seed, over which providers of state, and the count of what was run. */
import { appendFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { editCheckpoint, type StartStreamOptions, type StreamAction, startStream, stopStream } from 'millrace/testing'
import { expect } from 'vitest'
import { delayCalls } from './delays.ts'
import { providerKey, providers } from './providers.ts'

export { providerKey, providers }

/** `npm run oracle` sets these; a failure prints the seed and the path to it. */
export const seed = Number(process.env['MILLRACE_ORACLE_SEED'] ?? Date.now() % 1_000_000)
const givenRuns = process.env['MILLRACE_ORACLE_RUNS']
/** Of a property's runs in `npm test`, which is to take minutes: another seed each time makes up for it. */
const shareInTests = 1 / 3
/** Of a property's test: with `npm run oracle` it takes as long as it takes. */
export const timeout = givenRuns === undefined ? 600_000 : 0

interface HoldsOptions {
  /** Of the runs that the environment asks for, where one is as good as several of others. */
  readonly share?: number
  /** Whether a failure is shown as it was found: for checks that are too slow to look for a smaller one. */
  readonly asFound?: boolean
}

/** Holds a property against generated values: a share of `runs` of them unless the environment says how many. */
export async function holds<T>(
  arbitrary: fc.Arbitrary<T>,
  check: (value: T) => Promise<void>,
  runs: number,
  { share = 1, asFound = false }: HoldsOptions = {},
): Promise<void> {
  const numRuns = Math.ceil(givenRuns === undefined ? runs * shareInTests : Number(givenRuns) * share)
  const details = await fc.check(fc.asyncProperty(arbitrary, check), { numRuns, seed, endOnFailure: asFound })
  const report = process.env['MILLRACE_ORACLE_REPORT']
  if (report !== undefined) appendFileSync(report, `${details.numRuns}\n`)
  if (!details.failed) return
  const text = await fc.asyncDefaultReportMessage(details)
  // what a long run has found must not go with the terminal
  if (report !== undefined) appendFileSync(`${report}-failed`, `${expect.getState().currentTestName}\n${text}\n\n`)
  throw new Error(text, { cause: details.errorInstance })
}

/** Whether there are enough runs that what is generated often is among them: the few of a test run may have none of it. */
export const hasManyRuns = givenRuns !== undefined

/** How a query goes on after a restart. */
export interface Restart {
  readonly partitions: number
  /** From then on each batch takes snapshots, and the files that they make needless go. */
  readonly snapshots: boolean
  /** On another machine, so to speak: without the database that RocksDB has beside the checkpoint. */
  readonly elsewhere: boolean
}
/** Whether the query is restarted after a block, and how; null: it is not. */
export function restarts(mostPartitions = 16): fc.Arbitrary<Restart | null> {
  const restart = fc.record({ partitions: fc.integer({ min: 1, max: mostPartitions }), snapshots: fc.boolean(), elsewhere: fc.boolean() })
  return fc.option(restart, { freq: 2 })
}
export function restartWith(restart: Restart | null, options: Omit<StartStreamOptions, 'options'> = {}): StreamAction[] {
  if (restart === null) return []
  const forgets = editCheckpoint((folder) => rm(join(folder, 'local'), { recursive: true, force: true }))
  return [
    stopStream(),
    ...(restart.elsewhere ? [forgets] : []),
    startStream({
      ...options,
      options: { 'spark.sql.shuffle.partitions': String(restart.partitions), ...(restart.snapshots && snapshotsAlways) },
    }),
  ]
}
const snapshotsAlways = {
  'spark.sql.streaming.stateStore.maintenanceInterval': '0ms',
  'millrace.stateStore.changelogTailBytes': '1',
  'spark.sql.streaming.minBatchesToRetain': '2',
}

/** With a number of key groups by the seed: in few of them different keys meet, as they do in many with many keys. */
export const confOf = (provider: string) => ({ [providerKey]: provider, 'millrace.keyGroups': seed % 2 === 0 ? '16' : '128' })

if (process.env['MILLRACE_ORACLE_DELAYS'] === 'true') delayCalls()
console.log(`oracle tests: seed ${seed}, providers ${providers.join(', ')}`)
