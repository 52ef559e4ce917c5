import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { LocalFiles } from '../base/local-files.ts'
import { LostRanges } from './lost-ranges.ts'

test('ranges that a batch reads once more are told, counted and written down once', async () => {
  const metadataFolder = await mkdtemp(join(tmpdir(), 'millrace-lost-'))
  onTestFinished(() => rm(metadataFolder, { recursive: true }))
  const warnings: string[] = []
  const lost = new LostRanges({ files: new LocalFiles(), metadataFolder, warn: (text) => warnings.push(text) }, false)
  const first = { topic: 't', partition: 0, from: 3, until: 5, why: 'gone' }
  const second = { ...first, from: 8, until: 9 }
  for (let time = 0; time < 2; time++) {
    await lost.report('COULD_NOT_READ_OFFSET_RANGE', [first])
    await lost.report('COULD_NOT_READ_OFFSET_RANGE', [second])
  }
  await lost.report('COULD_NOT_READ_OFFSET_RANGE', [{ ...first, partition: 1 }])
  expect(lost.metrics()).toEqual({ lostRanges: '3', lostOffsets: '5' })
  expect(warnings).toHaveLength(3)
  const files = (await readdir(join(metadataFolder, 'lost'))).toSorted()
  const lines = await Promise.all(files.map(async (name) => (await readFile(join(metadataFolder, 'lost', name), 'utf8')).split('\n')[1]!))
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([first, second, { partition: 1 }])
})
