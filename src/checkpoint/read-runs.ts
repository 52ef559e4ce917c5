/** The runs of a checkpoint for somebody who is none of them. */
import { join } from 'node:path'
import type { Files } from '../base/files.ts'
import { type ProcessIdentity, systemProcess } from './process-identity.ts'
import { decodeRun, type RunRecord, renewedAtMs, runsFolder } from './runs.ts'

export interface RunOverview {
  /** Records that can be read, oldest first. */
  readonly runs: readonly RunRecord[]
  /** The newest run has marked its end. */
  readonly hasEnded: boolean
  /** The newest run's process is there, or its lease is good: somebody may be at work. */
  readonly mayBeAlive: boolean
}

/** CorruptCheckpointError where the newest record is damaged; older damaged ones are left out. */
export async function readRunOverview(
  files: Files,
  checkpointFolder: string,
  me: ProcessIdentity = systemProcess(),
  nowMs = Date.now(),
): Promise<RunOverview> {
  const folder = runsFolder(checkpointFolder)
  const names = (await files.list(folder)).map(({ name }) => name)
  const epochs = names
    .filter((name) => /^[1-9]\d{0,14}$/.test(name))
    .map(Number)
    .sort((a, b) => a - b)
  const runs: RunRecord[] = []
  for (const epoch of epochs) {
    const file = { queryId: '', name: `runs/${epoch}`, path: join(folder, String(epoch)) }
    try {
      runs.push(decodeRun(file, await files.read(file.path)))
    } catch (error) {
      if (epoch === epochs.at(-1)) throw error
    }
  }
  const newest = runs.at(-1)
  const hasEnded = newest === undefined || names.includes(`${newest.epoch}.ended`)
  return { runs, hasEnded, mayBeAlive: !hasEnded && (await mayBeAlive(files, folder, newest, me, nowMs)) }
}

async function mayBeAlive(files: Files, folder: string, run: RunRecord, me: ProcessIdentity, nowMs: number): Promise<boolean> {
  const alive = me.isAlive(run, run.runId)
  return alive ?? (await renewedAtMs(files, folder, run)) + run.leaseMs > nowMs
}
