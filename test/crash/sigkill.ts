import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type FileSystem, nodeFileSystem } from '../../src/base/file-system.ts'
import { LocalFiles } from '../../src/base/local-files.ts'
import { systemProcess } from '../../src/checkpoint/process-identity.ts'
import { differenceOfRows } from '../../src/testing/compare-rows.ts'
import { folderProblem } from './folders.ts'
import { allScenarios } from './providers.ts'
import { comparable, crashableEngine, type Place, type Scenario, writeClosingRow, writeInput } from './scenarios.ts'

/** Kills real processes at durable steps spread over the run, each round twice, and lets a third one finish. */
export async function killRounds(
  chosen: readonly Scenario[],
  rounds: number,
  say: (line: string) => void,
): Promise<{ points: number; mismatches: string[] }> {
  let points = 0
  const mismatches: string[] = []
  for (const scenario of chosen) {
    for (let round = 0; round < rounds; round++) {
      const folder = await mkdtemp(join(tmpdir(), 'millrace-kill-'))
      try {
        await writeInput(join(folder, 'in'), scenario.input)
        for (const step of [17 + round * 29, 11 + round * 7]) if ((await runProcess(scenario.name, folder, step)) === 'killed') points++
        await writeClosingRow(join(folder, 'in'))
        await runProcess(scenario.name, folder, 0)
        const mismatch = await compare(scenario, folder)
        if (mismatch !== null) mismatches.push(`${scenario.name}, SIGKILL round ${round}: ${mismatch}`)
      } finally {
        await rm(folder, { recursive: true, force: true })
      }
    }
    say(`${scenario.name}: ${rounds} rounds of SIGKILL`)
  }
  return { points, mismatches }
}

function runProcess(name: string, folder: string, killAt: number): Promise<'killed' | 'ended'> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--conditions=millrace-source', import.meta.filename, name, folder, String(killAt)], {
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    child.on('exit', (code, signal) => {
      if (signal === 'SIGKILL') resolve('killed')
      else if (code === 0) resolve('ended')
      else reject(new Error(`the process of "${name}" ended with ${code ?? signal}`))
    })
  })
}

async function compare(scenario: Scenario, folder: string): Promise<string | null> {
  const files = new LocalFiles()
  const engine = await crashableEngine(files)
  try {
    const place = placeOf(folder, engine, files)
    const difference = differenceOfRows(comparable(await scenario.output(place)), comparable(await scenario.expected(place)))
    return difference ?? (await folderProblem(scenario, place))
  } finally {
    await engine.close()
  }
}
function placeOf(folder: string, engine: Place['engine'], files: Place['files']): Place {
  return { input: join(folder, 'in'), root: join(folder, 'root'), engine, files }
}

/** The node file system, but the process kills itself in the middle of its n-th durable step's turn. */
function killingFileSystem(killAt: number): FileSystem {
  let step = 0
  const durable = new Set<PropertyKey>(['writeFile', 'fsyncFile', 'link', 'rename', 'unlink', 'mkdir', 'fsyncFolder'])
  return new Proxy(nodeFileSystem, {
    get(target, name) {
      const method = Reflect.get(target, name) as unknown
      if (typeof method !== 'function' || !durable.has(name)) return method
      return (...args: unknown[]) => {
        if (++step === killAt) process.kill(process.pid, 'SIGKILL')
        return (method as (...all: unknown[]) => unknown).apply(target, args)
      }
    },
  })
}

if (process.argv[1] === import.meta.filename) {
  const [, , name, folder, killAt] = process.argv
  const files = new LocalFiles(killingFileSystem(Number(killAt)))
  const scenario = allScenarios.find((each) => each.name === name)!
  const engine = await crashableEngine(files, {
    processIdentity: systemProcess(),
    keyGroups: scenario.keyGroups,
    provider: scenario.provider,
  })
  await scenario.run(placeOf(folder!, engine, files))
  await engine.close()
}
