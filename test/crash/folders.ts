import { join } from 'node:path'
import { liveFiles, openSinkLog } from '../../src/data/file-sink-log.ts'
import { newestBatch, type Place, type Scenario } from './scenarios.ts'

/** What is wrong with the checkpoint and the output of a query that has come to its end, or null. */
export async function folderProblem(scenario: Scenario, place: Place): Promise<string | null> {
  const offsets = await ids(place, 'checkpoint/offsets')
  const commits = await ids(place, 'checkpoint/commits')
  const newest = offsets.at(-1) ?? -1
  const gap = offsets.find((id, i) => i > 0 && id !== offsets[i - 1]! + 1)
  if (gap !== undefined) return `offsets/ has a gap before ${gap}`
  if (commits.at(-1) !== newest) return `offsets/ ends at ${newest}, commits/ at ${commits.at(-1)}`
  const delivered = await newestBatch(scenario, place)
  if (delivered !== newest) return `the checkpoint ends at batch ${newest}, the output at ${delivered}`
  return scenario.intoFiles ? logProblem(place) : null
}

async function ids({ root, files }: Place, folder: string): Promise<number[]> {
  const names = (await files.list(join(root, folder))).map(({ name }) => name)
  return names
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .sort((a, b) => a - b)
}

/** Each part once, there, and of one run's making for each batch. */
async function logProblem({ root, files }: Place): Promise<string | null> {
  const entries = await (await openSinkLog(join(root, 'out'), files)).readAll()
  if (new Set(entries.map(({ path }) => path)).size !== entries.length) return 'the output log names a part twice'
  const epochs = new Map<string, string>()
  for (const { path, sizeBytes } of liveFiles(entries)) {
    const [, batch = '', epoch = ''] = /-b(\d+)-e(\d+)-/.exec(path) ?? []
    if ((epochs.get(batch) ?? epoch) !== epoch) return `batch ${batch} is there from two runs, ${epochs.get(batch)} and ${epoch}`
    epochs.set(batch, epoch)
    const part = await files.stat(path)
    if (part?.sizeBytes !== sizeBytes) return `${path} has ${part?.sizeBytes} bytes, and its entry says ${sizeBytes}`
  }
  return null
}
