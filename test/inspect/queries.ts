import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { avg, count, type Engine, expr, MemoryStream, sum, t, window } from 'millrace'
import { afterEach } from 'vitest'

/** A new folder for each call, gone after the test. */
export function useFolders(): () => Promise<string> {
  const folders: string[] = []
  afterEach(async () => {
    for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true })
  })
  return async () => {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-inspect-'))
    folders.push(folder)
    return folder
  }
}

export type Untyped = any
export interface Event {
  readonly k: string | null
  readonly at: number
  readonly v: number
}
export const fields = { k: t.string().nullable(), at: t.timestamp(), v: t.int() }
export const toRow = ({ k, at, v }: Event) => ({ k, at: new Date(at * 1000), v })

/** A query that takes a block of events a batch. */
export interface FedQuery {
  /** Makes one batch of each block (and the batch without data that a moved watermark asks for). */
  feed(...blocks: readonly (readonly Event[])[]): Promise<void>
  stop(): Promise<void>
}
export interface QueryKind {
  readonly name: string
  readonly mode: 'append' | 'update' | 'complete'
  /** The query over one stream of events, or two. */
  readonly build: (stream: Untyped, other: Untyped) => Untyped
}

export const kinds = {
  windows: {
    name: 'windows',
    mode: 'append',
    build: (stream) =>
      stream
        .withWatermark('at', '10 seconds')
        .groupBy(({ at, k }: Untyped) => ({ w: window(at, '10 seconds'), k }))
        .agg(({ v }: Untyped) => ({ n: count(), total: sum(v), mean: avg(v) })),
  },
  counts: {
    name: 'counts',
    mode: 'update',
    build: (stream) => stream.groupBy(({ k }: Untyped) => ({ k })).agg(({ v }: Untyped) => ({ n: count(), total: sum(v) })),
  },
  dedupe: {
    name: 'dedupe',
    mode: 'append',
    build: (stream) => stream.withWatermark('at', '10 seconds').dropDuplicates(['k', 'at']),
  },
  join: {
    name: 'join',
    mode: 'append',
    build: (stream, other) =>
      stream
        .withWatermark('at', '10 seconds')
        .selectExpr('k AS lk', 'at AS lat', 'v AS lv')
        .join(
          other.withWatermark('at', '10 seconds').selectExpr('k AS rk', 'at AS rat', 'v AS rv'),
          () => expr('lk = rk AND rat >= lat AND rat <= lat + interval 10 seconds'),
          'left',
        ),
  },
} as const satisfies Readonly<Record<string, QueryKind>>

let names = 0
/** Starts a query over streams in memory; both sides of a join get the same events. */
export async function start(
  engine: Engine,
  kind: QueryKind,
  checkpoint: string,
  options: Readonly<Record<string, string>> = {},
): Promise<FedQuery> {
  const [left, right] = [new MemoryStream(engine, fields), new MemoryStream(engine, fields)]
  const query = await kind
    .build(left.toDF(), right.toDF())
    .writeStream.queryName(`${kind.name}${++names}`)
    .outputMode(kind.mode)
    .options({ checkpointLocation: checkpoint, ...options })
    .format('noop')
    .start()
  return {
    async feed(...blocks) {
      for (const block of blocks) {
        left.addData(...block.map(toRow))
        if (kind.name === 'join') right.addData(...block.map(toRow))
        await query.processAllAvailable()
      }
    },
    stop: () => query.stop(),
  }
}
