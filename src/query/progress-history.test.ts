import { appendFile, mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Files } from '../base/files.ts'
import { LocalFiles } from '../base/local-files.ts'
import { tempFolder } from '../testing/temp-folder.ts'
import { ProgressHistory, readProgressHistory } from './progress-history.ts'
import type { QueryProgress } from './query-progress.ts'

const progress = (batchId: number): QueryProgress => ({
  id: 'q',
  runId: 'r',
  name: null,
  timestamp: '2001-01-02T03:04:05.678Z',
  batchId,
  batchDuration: 5,
  numInputRows: 7,
  durationMs: { triggerExecution: 5 },
  eventTime: {},
  stateOperators: [],
  sources: [{ description: 's', startOffset: null, endOffset: batchId, latestOffset: null, numInputRows: 7, metrics: {} }],
  sink: { description: 'k', numOutputRows: 1, metrics: {} },
  observedMetrics: {},
})
async function checkpoint() {
  const folder = await tempFolder()
  await writeFile(join(folder.path, 'metadata'), '{}')
  return folder
}
function historyOf(checkpointFolder: string, settings: { files?: Files; maxFileBytes?: number; warn?: (text: string) => void } = {}) {
  return new ProgressHistory({ files: new LocalFiles(), checkpointFolder, maxFileBytes: 1e6, maxFiles: 3, warn: () => {}, ...settings })
}
async function write(history: ProgressHistory, from: number, to: number) {
  for (let batch = from; batch <= to; batch++) {
    history.add(progress(batch))
    await history.flush()
  }
}
const batches = async (folder: string) => (await readProgressHistory(folder)).map(({ batchId }) => batchId)

test('what was written comes back whole, over several runs, in one file', async () => {
  await using folder = await checkpoint()
  await write(historyOf(folder.path), 0, 2)
  await write(historyOf(folder.path), 3, 4)
  expect(await readProgressHistory(folder.path)).toEqual([0, 1, 2, 3, 4].map(progress))
  expect(await readdir(join(folder.path, 'progress'))).toEqual(['1.jsonl'])
})

test('lines that come while one is written go with the next write, in order', async () => {
  await using folder = await checkpoint()
  const history = historyOf(folder.path)
  for (let batch = 0; batch < 50; batch++) history.add(progress(batch))
  await history.flush()
  expect(await batches(folder.path)).toEqual(Array.from({ length: 50 }, (_, i) => i))
})

test('files and their size are bounded: the newest stay', async () => {
  await using folder = await checkpoint()
  const line = JSON.stringify(progress(0)).length
  await write(historyOf(folder.path, { maxFileBytes: line * 2 }), 0, 20)
  const names = (await readdir(join(folder.path, 'progress'))).sort()
  expect(names).toHaveLength(3)
  for (const name of names) expect((await readFile(join(folder.path, 'progress', name))).length).toBeLessThanOrEqual(line * 2)
  const found = await batches(folder.path)
  expect(found).toEqual(Array.from({ length: found.length }, (_, i) => 21 - found.length + i))
  expect(found.length).toBeGreaterThan(3)
})

test('every cut of the last line loses that line alone, also for the run that goes on', async () => {
  await using folder = await checkpoint()
  await write(historyOf(folder.path), 0, 1)
  const file = join(folder.path, 'progress', '1.jsonl')
  const whole = await readFile(file)
  const firstLine = whole.indexOf(10) + 1
  for (let length = firstLine; length < whole.length - 1; length += 7) {
    await writeFile(file, whole)
    await truncate(file, length)
    expect(await batches(folder.path)).toEqual([0])
    await write(historyOf(folder.path), 2, 2)
    expect(await batches(folder.path)).toEqual([0, 2])
  }
})

test('lines of another kind, and files of another name, are passed over', async () => {
  await using folder = await checkpoint()
  await write(historyOf(folder.path), 0, 0)
  await appendFile(join(folder.path, 'progress', '1.jsonl'), 'null\n[]\n{"batchId":1}\n17\n\n')
  await writeFile(join(folder.path, 'progress', 'notes.txt'), 'mine')
  expect(await batches(folder.path)).toEqual([0])
})

test('a disk that is full is told of once; when it has room again, the history goes on', async () => {
  await using folder = await checkpoint()
  const files = new LocalFiles()
  const told: string[] = []
  let full = true
  const append = async (path: string, content: string) => {
    if (full) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
    await files.append!(path, content)
  }
  const failing = new Proxy<Files>(files, {
    get: (target, name) => (name === 'append' ? append : (target[name as keyof Files] as unknown as () => unknown)?.bind(target)),
  })
  const history = historyOf(folder.path, { files: failing, warn: (text) => told.push(text) })
  await write(history, 0, 1)
  full = false
  await write(history, 2, 2)
  expect(told).toHaveLength(1)
  expect(told[0]).toContain('ENOSPC')
  expect(await batches(folder.path)).toEqual([2])
})

test('a checkpoint that was removed does not come back', async () => {
  await using folder = await checkpoint()
  const history = historyOf(folder.path)
  await write(history, 0, 0)
  await rm(folder.path, { recursive: true })
  await write(history, 1, 2)
  await expect(readdir(folder.path)).rejects.toMatchObject({ code: 'ENOENT' })
})

test('a folder that is no checkpoint is an error, one without history is empty', async () => {
  await using folder = await checkpoint()
  expect(await readProgressHistory(folder.path)).toEqual([])
  await mkdir(join(folder.path, 'other'))
  await expect(readProgressHistory(join(folder.path, 'other'))).rejects.toMatchObject({ code: 'PATH_NOT_FOUND' })
  await writeFile(join(folder.path, 'file'), '')
  await expect(readProgressHistory(join(folder.path, 'file'))).rejects.toMatchObject({ code: 'PATH_NOT_FOUND' })
})
