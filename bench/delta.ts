/**
 * How much does a Delta table cost over the bare files? A stream of Parquet files goes into a Delta table, a file a batch, with checkpoint, statistics and commits, all durable;
 * beside it DuckDB alone writes the same rows as the same Parquet files, which it does not make durable. In turns, in one run; the ratio is that of the medians.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { millrace, t } from 'millrace'
import 'millrace/delta'
import type { Bench } from './run.ts'

const columns = {
  id: t.long().nullable(),
  shop: t.string().nullable(),
  price: t.double().nullable(),
  at: t.timestamp().nullable(),
  note: t.string().nullable(),
}

const bench: Bench = async ({ say, short }) => {
  const [files, rowsPerFile, rounds] = short ? [3, 50_000, 2] : [8, 1_000_000, 5]
  const rows = files * rowsPerFile
  const work = await mkdtemp(join(tmpdir(), 'millrace-bench-'))
  const duck = await (await DuckDBInstance.create()).connect()
  const engine = await millrace.local()
  try {
    const input = join(work, 'in')
    await mkdir(input)
    for (let i = 0; i < files; i++) {
      const select = `SELECT range AS id, 'shop-' || (hash(range) % 500) AS shop, (hash(range + 1) % 100000) / 100.0::DOUBLE AS price, make_timestamptz(1700000000000000 + range * 1000) AS at, md5(range::VARCHAR) AS note FROM range(${i * rowsPerFile}, ${(i + 1) * rowsPerFile})`
      await duck.run(`COPY (${select}) TO '${join(input, `${i}.parquet`)}' (FORMAT parquet)`)
    }
    const took: { readonly delta: Took[]; readonly duckdb: Took[] } = { delta: [], duckdb: [] }
    for (let round = 0; round <= rounds; round++) {
      const folder = join(work, `round-${round}`)
      await mkdir(join(folder, 'bare'), { recursive: true })
      const bare = await timed(async () => {
        for (let i = 0; i < files; i++)
          await duck.run(
            `COPY (SELECT * FROM read_parquet('${join(input, `${i}.parquet`)}')) TO '${join(folder, 'bare', `${i}.parquet`)}' (FORMAT parquet, COMPRESSION snappy)`,
          )
      })
      const delta = await timed(async () => {
        const query = await engine.readStream
          .schema(columns)
          .option('maxFilesPerTrigger', 1)
          .parquet(input)
          .writeStream.option('checkpointLocation', join(folder, 'checkpoint'))
          .trigger({ availableNow: true })
          .format('delta')
          .start(join(folder, 'table'))
        await query.awaitTermination()
      })
      const written = await (await engine.read.format('delta').load(join(folder, 'table'))).count()
      if (Number(written) !== rows) throw new Error(`${written} rows are in the table, and ${rows} were written`)
      await rm(folder, { recursive: true })
      say(
        `round ${round}: ${rows} rows, DuckDB alone ${bare.seconds.toFixed(2)} s (CPU ${bare.cpuSeconds.toFixed(2)}), into Delta ${delta.seconds.toFixed(2)} s (CPU ${delta.cpuSeconds.toFixed(2)})${round === 0 ? ' (warm-up)' : ''}`,
      )
      if (round === 0) continue
      took.delta.push(delta)
      took.duckdb.push(bare)
    }
    const [delta, duckdb] = [took.delta, took.duckdb].map((rounds) => median(rounds.map(({ seconds }) => seconds))) as [number, number]
    const [deltaCpu, duckdbCpu] = [took.delta, took.duckdb].map((rounds) => median(rounds.map(({ cpuSeconds }) => cpuSeconds))) as [
      number,
      number,
    ]
    return {
      rowsPerSecond: Math.round(rows / delta),
      duckdbRowsPerSecond: Math.round(rows / duckdb),
      ratio: Number((duckdb / delta).toFixed(2)),
      cpuRatio: Number((duckdbCpu / deltaCpu).toFixed(2)),
    }
  } finally {
    duck.closeSync()
    await engine.close()
    await rm(work, { recursive: true, force: true })
  }
}
export default bench

interface Took {
  readonly seconds: number
  /** CPU time of this process, which other work on the machine does not lengthen. */
  readonly cpuSeconds: number
}
async function timed(run: () => Promise<void>): Promise<Took> {
  const [from, cpu] = [performance.now(), process.cpuUsage()]
  await run()
  const { user, system } = process.cpuUsage(cpu)
  return { seconds: (performance.now() - from) / 1000, cpuSeconds: (user + system) / 1e6 }
}
function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!
}
