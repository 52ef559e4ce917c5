import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DuckDBInstance } from '@duckdb/node-api'

/** The folders of one run of the demo. */
export interface DemoFolders {
  readonly root: string
  /** One Parquet file a day, in the order of the days. */
  readonly flights: string
  readonly airports: string
  readonly output: string
  readonly checkpoint: string
  /** The same query's rows, run once as a batch. */
  readonly expected: string
}
export function demoFolders(root: string): DemoFolders {
  const below = (name: string) => join(root, name)
  return {
    root,
    flights: below('flights'),
    airports: below('airports'),
    output: below('delays'),
    checkpoint: below('checkpoint'),
    expected: below('delays-as-batch'),
  }
}

const marker = 'made-by-npm-run-demo'

/** Makes the folder empty. A folder that the demo did not make is refused. */
export function clear(root: string): void {
  if (existsSync(root) && readdirSync(root).length > 0 && !existsSync(join(root, marker))) {
    throw new Error(`${root} holds files that this demo did not make: name another folder`)
  }
  rmSync(root, { recursive: true, force: true })
  mkdirSync(root, { recursive: true })
  writeFileSync(join(root, marker), '')
}

const data = (name: string) => fileURLToPath(new URL(`../node_modules/vega-datasets/data/${name}`, import.meta.url))

/** Lays the flights out as one file a day and returns the files' names. A file's time of modification is its place in the stream. */
export async function layOut(folders: DemoFolders): Promise<string[]> {
  const staging = join(folders.root, 'staging')
  for (const folder of [staging, folders.flights, folders.airports]) mkdirSync(folder, { recursive: true })
  const duckdb = await DuckDBInstance.create()
  const connection = await duckdb.connect()
  try {
    // One thread: one file a day.
    await connection.run('SET threads = 1')
    await connection.run(
      `COPY (SELECT *, strftime("date", '%Y-%m-%d') AS day FROM '${data('flights-3m.parquet')}')
       TO '${staging}' (FORMAT parquet, PARTITION_BY (day), OVERWRITE_OR_IGNORE)`,
    )
    await connection.run(`COPY (FROM '${data('airports.csv')}') TO '${join(folders.airports, 'airports.csv')}' (FORMAT csv, HEADER)`)
  } finally {
    connection.closeSync()
    duckdb.closeSync()
  }
  const days = readdirSync(staging).sort()
  const files = days.map((day, index) => {
    const [part, ...more] = readdirSync(join(staging, day))
    if (!part || more.length > 0) throw new Error(`expected one file in ${join(staging, day)}`)
    const name = `${day.replace('day=', 'flights-')}.parquet`
    renameSync(join(staging, day, part), join(folders.flights, name))
    arrive(join(folders.flights, name), index)
    return name
  })
  rmSync(staging, { recursive: true })
  return files
}

/** Adds a day with one flight so far ahead that the watermark passes every window before it. Returns the file's name. */
export async function addClosingDay(folders: DemoFolders, index: number): Promise<string> {
  const name = `flights-${closingDay}.parquet`
  const duckdb = await DuckDBInstance.create()
  const connection = await duckdb.connect()
  try {
    const unfinished = join(folders.root, name)
    await connection.run(
      `COPY (SELECT TIMESTAMP '${closingDay} 00:00:00' AS date, 0::BIGINT AS delay, 0::BIGINT AS distance, 'SEA' AS origin, 'SFO' AS destination)
       TO '${unfinished}' (FORMAT parquet)`,
    )
    arrive(unfinished, index)
    renameSync(unfinished, join(folders.flights, name))
  } finally {
    connection.closeSync()
    duckdb.closeSync()
  }
  return name
}
export const closingDay = '2002-01-01'

function arrive(file: string, index: number): void {
  const seconds = 1_700_000_000 + index
  utimesSync(file, seconds, seconds)
}
