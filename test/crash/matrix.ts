import { AsyncLocalStorage } from 'node:async_hooks'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Engine, Row } from 'millrace'
import type { Files } from '../../src/base/files.ts'
import { LocalFiles } from '../../src/base/local-files.ts'
import type { Random } from '../../src/base/random.ts'
import type { StepObserver } from '../../src/query/steps.ts'
import { differenceOfRows } from '../../src/testing/compare-rows.ts'
import { type CrashPoint, type Loss, SimFileSystem, type SimOperation, SimulatedCrash } from '../../src/testing/sim-file-system.ts'
import { folderProblem } from './folders.ts'
import { loseLocalState } from './providers.ts'
import { comparable, crashableEngine, newestBatch, type Place, type Scenario, writeClosingRow, writeInput } from './scenarios.ts'

/*
 * A trial is four processes on one disk. The first dies at its point. The second, which recovers, dies too. The third runs to its end, and
 * then the power fails. The fourth finds the last row of the input and runs to its end. After each death the disk loses what was not
 * synced, in one of several ways, or nothing (the process was killed).
 *
 * After the first death readers must see whole batches: what the undisturbed run showed after as many. After the third process nothing that
 * it finished may be lost, and none of it is run again. In the end the output must be what one batch over all input gives.
 */

/** How the disk fares at a death: null is a kill, which loses nothing. */
export type Fate = Loss | null
export interface Trial {
  readonly point: { readonly operation: number; readonly when: 'before' | 'after' }
  /** After the first process, the second, and the third. */
  readonly fates: readonly [Fate, Fate, Fate]
  /** Where the second process dies: so many steps into its life, or when the first new entry of this folder is durable. */
  readonly again: number | string
  /** The first process writes this folder slowly, so that whatever does not wait for it comes before it. */
  readonly slow?: string
}
export interface TrialResult {
  /** Whether the first and the second process got to their points. */
  readonly crashes: number
  /** The step the first one died at. */
  readonly label: string
  readonly mismatch: string | null
}

/** What an undisturbed run does and shows. */
export interface Reference {
  readonly trace: readonly SimOperation[]
  /** What readers see after each batch. */
  readonly shown: readonly (readonly Row[])[]
  /** What one batch gives over all input. */
  readonly expected: readonly Row[]
}

export const losses: readonly Loss[] = [
  { unsynced: 'drop', entries: 'undo' },
  { unsynced: 'tear-half', entries: 'keep' },
  { unsynced: 'tear-0', entries: 'keep' },
  { unsynced: 'tear-last', entries: { seed: 1 } },
  { unsynced: 'drop', entries: { seed: 2 } },
  { unsynced: 'zero', entries: 'keep' },
]
const fates: readonly Fate[] = [losses[0]!, losses[1]!, null, losses[2]!, losses[3]!, losses[4]!, losses[5]!]
/** Where the log entries are that make a step count; by then everything that they build on has to be durable, whoever wrote it. */
const milestones = ['checkpoint/offsets', 'checkpoint/commits', 'out/_spark_metadata']

const slowFolders = ['checkpoint/offsets', 'checkpoint/state/0/snapshots', 'checkpoint/sources', 'checkpoint/state']

/** Every point of a scenario, before and after each step, with fates dealt out over them; and each step that makes a name, killed there and then without power at each milestone of the recovery. */
export function trialsOf(scenario: Scenario, { trace }: Reference): Trial[] {
  const from = scenario.pointsFrom === undefined ? 0 : trace.findIndex(({ label }) => label.includes(scenario.pointsFrom!))
  const trials: Trial[] = []
  for (const { number, kind } of trace.slice(from)) {
    for (const when of ['before', 'after'] as const) {
      const index = trials.length
      const fate = (step: number) => fates[(index + step) % fates.length]!
      trials.push({
        point: { operation: number, when },
        fates: [fate(0), fate(3), losses[index % losses.length]!],
        again: 1 + ((index * 13) % 47),
        ...(index % 4 === 3 ? { slow: slowFolders[((index - 3) / 4) % slowFolders.length]! } : {}),
      })
    }
    if (kind !== 'link' && kind !== 'rename' && kind !== 'mkdir') continue
    for (const again of scenario.intoFiles ? milestones : milestones.slice(0, 2)) {
      trials.push({ point: { operation: number, when: 'after' }, fates: [null, losses[0]!, losses[0]!], again })
    }
  }
  return trials
}

export async function referenceOf(scenario: Scenario): Promise<Reference> {
  return inFolder(async (folder) => {
    await writeInput(join(folder, 'in'), scenario.input)
    const first = new SimFileSystem(join(folder, 'root'))
    const shown: Row[][] = []
    await inProcess(
      scenario,
      first,
      folder,
      async (place) => {
        await scenario.run(place)
      },
      async ({ step, when, batchId }) => {
        if (step === 'sink/commit' && when === 'after')
          shown[batchId] = await inProcess(scenario, first, folder, async (place) => comparable(await scenario.output(place)))
      },
    )
    const trace = [...first.trace]
    await writeClosingRow(join(folder, 'in'))
    const expected = await inProcess(scenario, await first.restart(), folder, async (place) => {
      await scenario.run(place)
      return comparable(await scenario.expected(place))
    })
    return { trace, shown, expected }
  })
}

export async function runTrial(scenario: Scenario, reference: Reference, trial: Trial): Promise<TrialResult> {
  return inFolder(async (folder) => {
    await writeInput(join(folder, 'in'), scenario.input)
    const run = (sim: SimFileSystem) => inProcess(scenario, sim, folder, (place) => scenario.run(place))
    let crashes = 0
    let label = '(not reached)'
    const mismatch = await (async () => {
      let sim = new SimFileSystem(join(folder, 'root'))
      sim.crashAt(trial.point)
      const { slow } = trial
      if (slow !== undefined) sim.slowDown((path) => path.startsWith(slow), 4)
      if (await dies(run(sim))) {
        crashes++
        label = sim.trace[trial.point.operation - 1]?.label ?? label
        sim = await afterDeath(sim, trial.fates[0], join(folder, 'root'))
        const torn = await inProcess(scenario, sim, folder, (place) => brokenShow(scenario, reference, place))
        if (torn !== null) return `after the first crash ${torn}`
        sim.crashAt(secondPoint(sim, trial))
        if (await dies(run(sim))) crashes++
        sim = await afterDeath(sim, trial.fates[1], join(folder, 'root'))
      } else sim = await sim.restart()
      await run(sim)
      sim = await sim.restart()
      const before = await inProcess(scenario, sim, folder, (place) => newestBatch(scenario, place))
      sim = await afterDeath(sim, trial.fates[2], join(folder, 'root'))
      const after = await inProcess(scenario, sim, folder, (place) => newestBatch(scenario, place))
      if (after !== before) return `the output ended at batch ${before}, and at ${after} when the power came back`
      await writeClosingRow(join(folder, 'in'))
      let again: number | undefined
      await inProcess(
        scenario,
        sim,
        folder,
        (place) => scenario.run(place),
        ({ step, batchId }) => {
          if (step === 'batch/run' && batchId <= before) again = batchId
        },
      )
      if (again !== undefined) return `batch ${again} was finished before the power failed, and was run again`
      return inProcess(scenario, await sim.restart(), folder, async (place) => {
        const difference = differenceOfRows(comparable(await scenario.output(place)), reference.expected)
        return difference ?? (await folderProblem(scenario, place))
      })
    })().catch((error: unknown) => `an error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
    return { crashes, label, mismatch }
  })
}

/** Readers see whole batches only, from the first on. */
async function brokenShow(scenario: Scenario, { shown }: Reference, place: Place): Promise<string | null> {
  if (scenario.severalSinks) return null
  const newest = await newestBatch(scenario, place)
  const rows = comparable(await scenario.output(place).catch(nothingThere))
  const difference = differenceOfRows(rows, newest < 0 ? [] : (shown[newest] ?? []))
  return difference === null ? null : `readers see other rows than those of the batches up to ${newest}: ${difference}`
}
function nothingThere(error: unknown): Row[] {
  if ((error as { code?: unknown }).code === 'PATH_NOT_FOUND') return []
  throw error
}

function secondPoint(sim: SimFileSystem, { again, point }: Trial): CrashPoint {
  if (typeof again === 'number') return { operation: sim.operations + again, when: point.when }
  let added = false
  return {
    when: 'after',
    matches({ kind, label, path }) {
      added ||= kind === 'link' && label.includes(` -> ${again}/`)
      return added && kind === 'fsync-folder' && path === again
    },
  }
}

async function afterDeath(sim: SimFileSystem, fate: Fate, root: string): Promise<SimFileSystem> {
  if (fate) {
    await sim.losePower(fate)
    await loseLocalState(root, fate)
  }
  return sim.restart()
}

/** Whether a process came to its point; what else it fails with is thrown. */
export async function dies(run: Promise<void>): Promise<boolean> {
  try {
    await run
    return false
  } catch (error) {
    for (let each = error; each instanceof Error; each = each.cause) if (each instanceof SimulatedCrash) return true
    throw error
  }
}

/** What belongs to one simulated process. */
interface Process {
  readonly files: Files
  readonly random: Random
  readonly observeStep: StepObserver
}
const processes = new AsyncLocalStorage<Process>()
const mine = (): Process => {
  const process = processes.getStore()
  if (!process) throw new Error('work outside of a simulated process')
  return process
}
const engines = new Map<string, Promise<Engine>>()
/** All simulated processes of a scenario share one DuckDB. Whatever a process starts keeps to its own disk, also what outlives it. */
function sharedEngine({ keyGroups, provider }: Scenario): Promise<Engine> {
  const key = `${keyGroups} ${provider}`
  const known = engines.get(key)
  if (known) return known
  const files = new Proxy({} as Files, { get: (_, name) => Reflect.get(mine().files, name) })
  const random = new Proxy({} as Random, { get: (_, name) => Reflect.get(mine().random, name) })
  const opened = crashableEngine(files, { random, keyGroups, provider, observeStep: (event) => mine().observeStep(event) })
  engines.set(key, opened)
  return opened
}
export async function closeEngines(): Promise<void> {
  for (const engine of engines.values()) await (await engine).close()
  engines.clear()
}

async function inProcess<T>(
  scenario: Scenario,
  sim: SimFileSystem,
  folder: string,
  work: (place: Place) => Promise<T>,
  observeStep: StepObserver = () => {},
): Promise<T> {
  const engine = await sharedEngine(scenario)
  const random = countingRandom(sim.operations)
  const files = bound(new LocalFiles(sim, random))
  return processes.run({ files, random, observeStep }, () => work({ input: join(folder, 'in'), root: join(folder, 'root'), engine, files }))
}
/** Methods that stand without their object. */
function bound(files: LocalFiles): Files {
  return {
    read: (path) => files.read(path),
    list: (folder) => files.list(folder),
    names: (folder) => files.names(folder),
    stat: (path) => files.stat(path),
    createExclusive: (path, content) => files.createExclusive(path, content),
    stage: (path, content) => files.stage(path, content),
    create: (path, content) => files.create(path, content),
    replace: (path, content) => files.replace(path, content),
    makeFolder: (path) => files.makeFolder(path),
    sync: (paths) => files.sync(paths),
    delete: (path) => files.delete(path),
    move: (from, to) => files.move(from, to),
  }
}
/** Ids and salts that are the same in every trial, and others in each process. */
function countingRandom(seed: number): Random {
  let count = 0
  const bytes = (length: number) => Uint8Array.from({ length }, (_, i) => (seed * 31 + ++count * 7 + i) & 255)
  return { bytes, uuid: () => `${String(seed).padStart(8, '0')}-0000-4000-8000-${String(++count).padStart(12, '0')}` }
}

/** In memory where the system has such a place: the simulation needs no disk, and a disk makes it wait. */
const parent = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

async function inFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(parent, 'millrace-crash-'))
  try {
    return await use(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
