import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LocalFiles } from '../../src/base/local-files.ts'
import { differenceOfRows } from '../../src/testing/compare-rows.ts'
import { type CrashPoint, type Loss, SimFileSystem, SimulatedCrash } from '../../src/testing/sim-file-system.ts'
import { comparable, crashableEngine, type Place, type Scenario, writeClosingRow, writeInput } from './scenarios.ts'

/** One way through the matrix: where the process dies, what that does to the disk, and where it dies again while it recovers. */
export interface Trial {
  readonly scenario: Scenario
  readonly point: CrashPoint
  /** null: the process is killed and the disk keeps everything. */
  readonly loss: Loss | null
  /** The second crash comes so many durable steps into the recovery. */
  readonly again: number
}
export interface TrialResult {
  readonly trial: Trial
  /** False where the run ended before it got to the point. */
  readonly crashed: boolean
  /** The step it died at. */
  readonly label: string
  readonly mismatch: string | null
}

export const losses: readonly (Loss | null)[] = [
  { unsynced: 'drop', entries: 'undo' },
  { unsynced: 'tear-half', entries: 'keep' },
  null,
  { unsynced: 'tear-0', entries: 'keep' },
  { unsynced: 'tear-last', entries: { seed: 1 } },
  { unsynced: 'drop', entries: { seed: 2 } },
  { unsynced: 'zero', entries: 'keep' },
]

/** All points of a scenario, with losses and second crashes dealt out over them. `stride` leaves points out evenly. */
export async function trialsOf(scenario: Scenario, stride = 1): Promise<Trial[]> {
  const operations = await inFolder(async (folder) => {
    const sim = new SimFileSystem(join(folder, 'root'))
    await run(scenario, folder, sim)
    return sim.operations
  })
  const trials: Trial[] = []
  for (let operation = 1; operation <= operations; operation++) {
    for (const when of ['before', 'after'] as const) {
      const index = trials.length
      trials.push({ scenario, point: { operation, when }, loss: losses[index % losses.length]!, again: 1 + ((index * 13) % 45) })
    }
  }
  return trials.filter((_, i) => i % stride === 0)
}

/** Runs to the crash, recovers into a second crash, recovers, and compares what readers see with one batch over all input. */
export async function runTrial(trial: Trial): Promise<TrialResult> {
  return inFolder(async (folder) => {
    let sim = new SimFileSystem(join(folder, 'root'))
    sim.crashAt(trial.point)
    const crashed = await diesIn(trial.scenario, folder, sim)
    const label = sim.trace[trial.point.operation - 1]?.label ?? '(not reached)'
    if (crashed) {
      sim = await afterCrash(sim, trial.loss)
      sim.crashAt({ operation: sim.operations + trial.again, when: trial.point.when })
      if (await diesIn(trial.scenario, folder, sim)) sim = await afterCrash(sim, trial.loss)
    }
    // the last process meets no crash point
    sim = await sim.restart()
    await writeClosingRow(join(folder, 'in'))
    const mismatch = await run(trial.scenario, folder, sim).catch((error: unknown) => `the last run failed: ${String(error)}`)
    return { trial, crashed, label, mismatch }
  })
}

async function afterCrash(sim: SimFileSystem, loss: Loss | null): Promise<SimFileSystem> {
  if (loss) await sim.losePower(loss)
  return sim.restart()
}

async function diesIn(scenario: Scenario, folder: string, sim: SimFileSystem): Promise<boolean> {
  try {
    await run(scenario, folder, sim)
    return false
  } catch (error) {
    if (isCrash(error)) return true
    throw error
  }
}
function isCrash(error: unknown): boolean {
  for (let each = error; each instanceof Error; each = each.cause) if (each instanceof SimulatedCrash) return true
  return false
}

/** One process: runs the query over all that is there. Gives how its output differs from the batch, or null. */
async function run(scenario: Scenario, folder: string, sim: SimFileSystem): Promise<string | null> {
  const files = new LocalFiles(sim)
  const engine = await crashableEngine(files)
  try {
    const place: Place = { input: join(folder, 'in'), root: join(folder, 'root'), engine, files }
    await (await scenario.start(place)).awaitTermination()
    return differenceOfRows(comparable(await scenario.output(place)), comparable(await scenario.expected(place)))
  } finally {
    await engine.close()
  }
}

async function inFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-crash-'))
  try {
    await writeInput(join(folder, 'in'))
    return await use(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
