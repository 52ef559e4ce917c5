// Queries that are deployed, changed and deployed again over folders of JSON, and whose results are compared with one batch.
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { copyCheckpoint, type Engine, millrace } from 'millrace'
import { afterAll, beforeAll, expect } from 'vitest'
import { tempFolder } from '../../src/testing/temp-folder.ts'

// frames of changing schemas have different types, and these tests are about what they do
export type Frame = any

export interface Query {
  readonly fields: object
  readonly of: (rows: Frame) => Frame
  /** Complete: the result of each batch replaces the one before; else each is kept. */
  readonly mode?: 'complete' | 'append' | 'update'
  readonly options?: Readonly<Record<string, string>>
}
export function query(of: Query['of'], fields: object, options: Query['options'] = {}): Query {
  return { fields, of, options }
}

/** `phases`: the rows that come before and after each change. */
export function useDeployments(phases: () => Readonly<Record<number, readonly object[]>>) {
  let folder: Awaited<ReturnType<typeof tempFolder>>
  let engine: Engine
  let runs = 0
  const printed: string[] = []
  beforeAll(async () => {
    folder = await tempFolder()
    engine = await millrace.local({ print: (text) => printed.push(text) })
    for (const [phase, rows] of Object.entries(phases())) {
      await mkdir(join(folder.path, `phase-${phase}`))
      await writeFile(join(folder.path, `phase-${phase}`, 'rows.json'), `${rows.map((row) => JSON.stringify(row)).join('\n')}\n`)
    }
  })
  afterAll(async () => {
    await engine.close()
    await folder.remove()
  })

  /** A folder that one phase after the other is put into, and a checkpoint. */
  async function place(shared: Readonly<Record<string, string>> = {}) {
    const root = join(folder.path, `query-${++runs}`)
    await mkdir(join(root, 'in'), { recursive: true })
    let starts = 0
    let checkpoint = 'checkpoint'
    return {
      root,
      checkpoint: () => join(root, checkpoint),
      async add(phase: number) {
        await copyFile(join(folder.path, `phase-${phase}`, 'rows.json'), join(root, 'in', `${phase}.json`))
      },
      /** What comes next runs on a copy of the checkpoint as it stood after a batch. */
      async goBackTo(batchId: number) {
        const copy = `copy-${starts}`
        await copyCheckpoint(join(root, checkpoint), join(root, copy), { batchId })
        checkpoint = copy
      },
      /** Reads what is there, with another number of partitions at every start; gives what was said. */
      async run({ fields, of, mode = 'complete', options = {} }: Query): Promise<string> {
        const before = printed.length
        const rows: Frame = engine.readStream.schema(fields as Record<string, never>).json(join(root, 'in'))
        const partitions = String(1 + ((starts++ * 3) % 8))
        const started = await of(rows)
          .writeStream.outputMode(mode)
          .trigger({ availableNow: true })
          .options({ checkpointLocation: join(root, checkpoint), 'spark.sql.shuffle.partitions': partitions, ...shared, ...options })
          .foreachBatch(async (batch: Frame, batchId: bigint) => {
            const out = join(root, mode === 'complete' ? 'out' : `out-${starts}`)
            await batch.write.mode(mode === 'complete' ? 'overwrite' : 'append').parquet(mode === 'complete' ? out : `${out}/${batchId}`)
          })
          .start()
        await started.awaitTermination()
        return printed.slice(before).join('\n')
      },
      input: (fields: object): Frame => engine.read.json(join(root, 'in'), fields as Record<string, never>),
      /** The result of a query in complete mode. */
      result: (like: Frame): Frame => engine.read.parquet(join(root, 'out'), like.schema),
      /** All that starts have given in another mode; default all of them. */
      given: (like: Frame, ...of: number[]): Frame =>
        (of.length > 0 ? of : Array.from({ length: starts }, (_, i) => i + 1))
          .map((start): Frame => engine.read.parquet(`${root}/out-${start}/*`, like.schema))
          .reduce((all, some) => all.unionAll(some)),
    }
  }
  return { place, engine: () => engine }
}

/** Rows that only one of two frames has. */
export async function expectSame(got: Frame, wanted: Frame, atLeast: number): Promise<void> {
  const rows = Number(await got.count())
  expect(rows).toBeGreaterThanOrEqual(atLeast)
  expect(rows).toBe(Number(await wanted.count()))
  expect(await got.exceptAll(wanted).limit(3).collect()).toEqual([])
}
