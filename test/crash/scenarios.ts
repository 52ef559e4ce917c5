import { mkdir, readdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { avg, count, type Engine, lit, max, millrace, type Row, type StreamingQuery, session_window, sum, t, window } from 'millrace'
import type { Files } from '../../src/base/files.ts'
import { type Random, systemRandom } from '../../src/base/random.ts'
import { type ProcessIdentity, systemProcess } from '../../src/checkpoint/process-identity.ts'
import { openSinkLog } from '../../src/data/file-sink-log.ts'
import type { StepObserver } from '../../src/query/steps.ts'
import { deltaScenarios, newestDeltaBatch } from './delta-scenarios.ts'
import { migrationScenarios } from './migration-scenarios.ts'
import { sideOutputScenarios } from './side-output-scenarios.ts'
import { countsByKey, windowsByTimers } from './state-functions.ts'

/** Where a scenario works. `root` is the part of the disk that a crash may damage; the input lies outside. */
export interface Place {
  readonly input: string
  readonly root: string
  readonly engine: Engine
  /** For what a user's own foreachBatch writes: durable, like everything that is to survive. */
  readonly files: Files
}
/** A query into a sink, the rows that its readers see, and the rows that they must see in the end. */
export interface Scenario {
  readonly name: string
  readonly input: Input
  /** Whether the sink keeps a log of files. */
  readonly intoFiles: boolean
  /** The output is a Delta table, whose log says which batches it has. */
  readonly intoDelta?: true
  /** Whether a batch goes to several sinks, which readers see one after the other: then only the end is compared. */
  readonly severalSinks?: true
  /** Points count from the first step whose label has this text on: what comes before is crashed through in other scenarios. */
  readonly pointsFrom?: string
  /** Key groups of the state, in two partitions where there are as many. Default 4: several snapshots on their way at the same time. With 1 a manifest waits for its only one. */
  readonly keyGroups?: number
  /** Where state is held; memory unless said. */
  readonly provider?: 'rocksdb'
  /** One process: runs the query over all that there is. */
  run(place: Place): Promise<void>
  output(place: Place): Promise<Row[]>
  expected(place: Place): Promise<Row[]>
}
/** Small files with disorder, nulls and repeats. */
export interface Input {
  readonly files: number
  readonly rows: number
  /** Each comes when the one before has been read; otherwise all are there from the start. */
  readonly oneByOne?: boolean
}

const fields = { k: t.string(), at: t.timestamp(), v: t.double().nullable() }
const fiveFiles: Input = { files: 5, rows: 24 }

/** The input as the first process finds it. */
export async function writeInput(folder: string, input: Input): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (let file = 0; file < input.files && !input.oneByOne; file++) await writeOne(folder, file, input.rows)
}
/** Whole from the first moment that anybody sees it. */
async function writeOne(folder: string, file: number, rows: number): Promise<void> {
  const lines = Array.from({ length: rows }, (_, i) => {
    // the last row is late for whoever judges by this batch's watermark, and in time by the one before, which counts
    const second = file * 20 + (i === rows - 1 ? -22 : (i * 7) % 25)
    return JSON.stringify({
      k: `key-${(i * 5 + file) % 4}`,
      at: new Date(1_000_000_000_000 + second * 1000).toISOString(),
      v: i % 6 === 0 ? null : i / 4,
    })
  })
  const name = `${String(file).padStart(2, '0')}.json`
  await writeFile(join(folder, `.${name}`), `${lines.join('\n')}\n`)
  await rename(join(folder, `.${name}`), join(folder, name))
}
/** The next file comes; false where all are there. */
async function arrive(folder: string, input: Input): Promise<boolean> {
  const there = (await readdir(folder)).filter((name) => /^\d/.test(name)).length
  if (there < input.files) await writeOne(folder, there, input.rows)
  return there < input.files
}

/**
 * One more file with a row far in the future, which closes every window before it. It comes for the last process: a watermark that moved
 * in a batch after which the process died closes nothing until the next data (as in Spark: spec, observed 2).
 */
export async function writeClosingRow(folder: string): Promise<void> {
  await writeFile(join(folder, 'closing.json'), `${JSON.stringify({ k: closingKey, at: '2030-01-01T00:00:00.000Z', v: 0 })}\n`)
}
/** Rows as plain values, numbers to nine digits, since sums depend on the order in which they are made; without what is made of the closing row, whose own window stays open. */
export function comparable(rows: readonly Row[]): Row[] {
  const plain = (value: unknown) =>
    typeof value === 'number' || typeof value === 'bigint' ? Number(Number(value).toPrecision(9)) : value === null ? null : String(value)
  return rows
    .filter((row) => !isClosing(row))
    .map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, plain(value)])))
}
function isClosing(row: Row): boolean {
  return row['k'] === closingKey || row['city'] === closingCity
}
const closingKey = 'closing'
const closingCity = '-'

const stream = ({ engine, input }: Place) => engine.readStream.schema(fields).option('maxFilesPerTrigger', 1).json(input)
const table = ({ engine, input }: Place) => engine.read.json(input, fields)
const cities = ({ engine }: Place) =>
  engine.createDataFrame(
    [
      { k: 'key-0', city: 'Ulm' },
      { k: 'key-1', city: 'Bern' },
      { k: 'key-2', city: 'Graz' },
      { k: closingKey, city: closingCity },
    ],
    { k: t.string(), city: t.string() },
  )
const checkpoint = ({ root }: Place) => join(root, 'checkpoint')
const out = ({ root }: Place) => join(root, 'out')

/** What `run` of a query that stops by itself does. */
const untilDone = async (query: Promise<StreamingQuery>): Promise<void> => {
  await (await query).awaitTermination()
}
const availableNow = { availableNow: true } as const
const into = (writer: any, place: Place) => writer.trigger(availableNow).option('checkpointLocation', checkpoint(place))

/** The newest batch that readers see, -1 before the first. */
export async function newestBatch(scenario: Scenario, place: Place): Promise<number> {
  if (scenario.intoFiles) return (await openSinkLog(out(place), place.files)).latestId
  if (scenario.intoDelta) return newestDeltaBatch(place, out(place))
  return (await batchNames(place)).length - 1
}

const windowed = (place: Place) =>
  stream(place)
    .withWatermark('at', '10 seconds')
    .groupBy(({ at, k }) => ({ window: window(at, '10 seconds'), k }))
    .agg(({ v }) => ({ n: count(), total: sum(v), mean: avg(v), most: max(v) }))
    .select(({ window, k, n, total, mean, most }) => ({ start: window.start, k, n, total, mean, most }))
const windowedTable = (place: Place) =>
  table(place)
    .groupBy(({ at, k }) => ({ window: window(at, '10 seconds'), k }))
    .agg(({ v }) => ({ n: count(), total: sum(v), mean: avg(v), most: max(v) }))
    .select(({ window, k, n, total, mean, most }) => ({ start: window.start, k, n, total, mean, most }))
const perKey = ({ input, engine }: Place, isStream: boolean) =>
  (isStream ? stream({ input, engine } as Place) : (table({ input, engine } as Place) as never as ReturnType<typeof stream>))
    .groupBy('k')
    .agg(({ v }) => ({ n: count(), total: sum(v) }))

/** Rows with those of their key within some seconds; every fourth key has none. Nothing is late under the delay. */
const neighbours = (place: Place, isStream: boolean, how: 'inner' | 'left') => {
  const read = () => (isStream ? stream(place).withWatermark('at', '30 seconds') : (table(place) as never as Marked))
  const others = read()
    .where(({ k }) => k.neq('key-0'))
    .select(({ k, at, v }) => ({ otherK: k, otherAt: at, otherV: v }))
  return read().join(
    others,
    (l, r) => l.k.eq(r.otherK).and(r.otherAt.between(l.at.minus('3 seconds'), l.at.plus('2 seconds'))),
    how,
  ) as never as Marked & { collect(): Promise<Row[]> }
}
const markedStream = (place: Place) => stream(place).withWatermark('at', '30 seconds')
type Marked = ReturnType<typeof markedStream>
const neighbourFields = { ...fields, otherK: t.string().nullable(), otherAt: t.timestamp().nullable(), otherV: t.double().nullable() }

/** Sessions of ten seconds, some of which grow over several files and some of which are put together late. */
const sessions = (place: Place, isStream: boolean) =>
  (isStream ? stream(place).withWatermark('at', '30 seconds') : (table(place) as never as Marked))
    .groupBy(({ at, k }) => ({ session: session_window(at, '8 seconds'), k }))
    .agg(({ v }) => ({ n: count(), total: sum(v), mean: avg(v), most: max(v) }))
    .select(({ session, k, n, total, mean, most }) => ({ start: session.start, end: session.end, k, n, total, mean, most }))
const sessionFields = {
  start: t.timestamp(),
  end: t.timestamp(),
  k: t.string(),
  n: t.long(),
  total: t.double().nullable(),
  mean: t.double().nullable(),
  most: t.double().nullable(),
}

/** Reached in the third file. */
const limited = 27

/** Every row twice in its batch, and some in several. */
const repeated = (place: Place) => {
  const rows = markedStream(place).select(({ k, at }) => ({ k, at }))
  return rows.union(rows)
}
const distinctRows = (place: Place) =>
  table(place)
    .select(({ k, at }) => ({ k, at }))
    .distinct()
    .collect()

/** Keeps each batch as a file of its own, so that a batch that comes again replaces itself. */
function intoBatchFiles(place: Place) {
  return async (rows: { collect(): Promise<Row[]> }, batchId: bigint) => {
    const lines = (await rows.collect()).map((row) =>
      JSON.stringify(row, (_key, value: unknown) => (typeof value === 'bigint' ? Number(value) : value)),
    )
    await place.files.replace(join(out(place), `batch-${String(batchId).padStart(6, '0')}.json`), lines.join('\n'))
  }
}
async function batchNames(place: Place): Promise<string[]> {
  const names = (await place.files.list(out(place))).map(({ name }) => name)
  return names.filter((name) => name.startsWith('batch-')).sort()
}
/** The files that intoBatchFiles wrote, oldest first. */
async function batchFiles(place: Place): Promise<Row[][]> {
  const batches: Row[][] = []
  for (const name of await batchNames(place)) {
    const text = Buffer.from(await place.files.read(join(out(place), name))).toString()
    batches.push(text === '' ? [] : text.split('\n').map((line) => JSON.parse(line) as Row))
  }
  return batches
}
/** The table that readers of an update stream have: the newest row of each key. */
async function latestByKey(place: Place, keyOf: (row: Row) => string): Promise<Row[]> {
  const byKey = new Map<string, Row>()
  for (const row of (await batchFiles(place)).flat()) byKey.set(keyOf(row), row)
  return [...byKey.values()]
}

const window10 = {
  start: t.timestamp(),
  k: t.string(),
  n: t.long(),
  total: t.double().nullable(),
  mean: t.double().nullable(),
  most: t.double().nullable(),
}

export const scenarios: readonly Scenario[] = [
  {
    name: 'stateless into parquet',
    input: fiveFiles,
    intoFiles: true,
    run: (place) =>
      untilDone(
        stream(place)
          .where(({ v }) => v.isNotNull())
          .writeStream.format('parquet')
          .trigger(availableNow)
          .option('checkpointLocation', checkpoint(place))
          .start(out(place)),
      ),
    output: (place) => place.engine.read.parquet(out(place), fields).collect(),
    expected: (place) =>
      table(place)
        .where(({ v }) => v.isNotNull())
        .collect(),
  },
  {
    name: 'windowed aggregation, append, into parquet',
    input: fiveFiles,
    intoFiles: true,
    run: (place) =>
      untilDone(
        windowed(place)
          .writeStream.outputMode('append')
          .format('parquet')
          .trigger(availableNow)
          .option('checkpointLocation', checkpoint(place))
          .start(out(place)),
      ),
    output: (place) => place.engine.read.parquet(out(place), window10).collect(),
    expected: (place) => windowedTable(place).collect(),
  },
  {
    name: 'windowed aggregation, update, into foreachBatch',
    input: fiveFiles,
    intoFiles: false,
    run: (place) =>
      untilDone(
        windowed(place)
          .writeStream.outputMode('update')
          .foreachBatch(intoBatchFiles(place))
          .trigger(availableNow)
          .option('checkpointLocation', checkpoint(place))
          .start(),
      ),
    output: (place) => latestByKey(place, (row) => `${String(row['start'])} ${String(row['k'])}`),
    expected: (place) => windowedTable(place).collect(),
  },
  {
    name: 'plain aggregation, complete, into foreachBatch',
    input: fiveFiles,
    keyGroups: 1,
    intoFiles: false,
    run: (place) =>
      untilDone(
        perKey(place, true)
          .writeStream.outputMode('complete')
          .foreachBatch(intoBatchFiles(place))
          .trigger(availableNow)
          .option('checkpointLocation', checkpoint(place))
          .start(),
      ),
    output: async (place) => (await batchFiles(place)).at(-1) ?? [],
    expected: (place) => (perKey(place, false) as never as { collect(): Promise<Row[]> }).collect(),
  },
  {
    // folders in folders, each durable by the fsync of another one
    name: 'partitioned file sink',
    input: fiveFiles,
    intoFiles: true,
    run: (place) =>
      untilDone(
        stream(place)
          .withColumn('known', ({ v }) => v.isNotNull())
          .writeStream.format('json')
          .partitionBy('k', 'known')
          .trigger(availableNow)
          .option('checkpointLocation', checkpoint(place))
          .start(out(place)),
      ),
    output: (place) => place.engine.read.json(out(place), { ...fields, known: t.boolean() }).collect(),
    expected: (place) =>
      table(place)
        .withColumn('known', ({ v }) => v.isNotNull())
        .collect(),
  },
  {
    name: 'static join and windowed aggregation, append, into json',
    input: fiveFiles,
    intoFiles: true,
    run: (place) =>
      untilDone(
        stream(place)
          .withWatermark('at', '5 seconds')
          .join(cities(place), 'k')
          .groupBy(({ at, city }) => ({ window: window(at, '10 seconds', '5 seconds'), city }))
          .agg(({ v }) => ({ n: count(), total: sum(v) }))
          .select(({ window, city, n, total }) => ({ start: window.start, city, n, total }))
          .writeStream.outputMode('append')
          .format('json')
          .trigger(availableNow)
          .option('checkpointLocation', checkpoint(place))
          .start(out(place)),
      ),
    output: (place) =>
      place.engine.read.json(out(place), { start: t.timestamp(), city: t.string(), n: t.long(), total: t.double().nullable() }).collect(),
    expected: (place) =>
      table(place)
        .join(cities(place), 'k')
        .groupBy(({ at, city }) => ({ window: window(at, '10 seconds', '5 seconds'), city }))
        .agg(({ v }) => ({ n: count(), total: sum(v) }))
        .select(({ window, city, n, total }) => ({ start: window.start, city, n, total }))
        .collect(),
  },
  {
    name: 'inner join of streams, into parquet',
    input: fiveFiles,
    intoFiles: true,
    run: (place) =>
      untilDone(
        neighbours(place, true, 'inner')
          .writeStream.format('parquet')
          .trigger(availableNow)
          .option('checkpointLocation', checkpoint(place))
          .start(out(place)),
      ),
    output: (place) => place.engine.read.parquet(out(place), neighbourFields).collect(),
    expected: (place) => neighbours(place, false, 'inner').collect(),
  },
  {
    name: 'left outer join of streams, into parquet',
    input: fiveFiles,
    intoFiles: true,
    run: (place) =>
      untilDone(
        neighbours(place, true, 'left')
          .writeStream.format('parquet')
          .trigger(availableNow)
          .option('checkpointLocation', checkpoint(place))
          .start(out(place)),
      ),
    output: (place) => place.engine.read.parquet(out(place), neighbourFields).collect(),
    expected: (place) => neighbours(place, false, 'left').collect(),
  },
  {
    name: 'session windows, append, into parquet',
    input: fiveFiles,
    intoFiles: true,
    run: (place) =>
      untilDone(
        sessions(place, true)
          .writeStream.outputMode('append')
          .format('parquet')
          .trigger(availableNow)
          .option('checkpointLocation', checkpoint(place))
          .start(out(place)),
      ),
    output: (place) => place.engine.read.parquet(out(place), sessionFields).collect(),
    expected: (place) => (sessions(place, false) as never as { collect(): Promise<Row[]> }).collect(),
  },
  {
    name: 'session windows, complete, into foreachBatch',
    input: fiveFiles,
    intoFiles: false,
    run: (place) =>
      untilDone(
        sessions(place, true)
          .writeStream.outputMode('complete')
          .foreachBatch(intoBatchFiles(place))
          .trigger(availableNow)
          .option('checkpointLocation', checkpoint(place))
          .start(),
      ),
    output: async (place) => (await batchFiles(place)).at(-1) ?? [],
    expected: (place) => (sessions(place, false) as never as { collect(): Promise<Row[]> }).collect(),
  },
  {
    name: 'transformWithState with timers, into parquet',
    input: fiveFiles,
    intoFiles: true,
    run: (place) => untilDone(into(windowsByTimers(markedStream(place)).writeStream.format('parquet'), place).start(out(place))),
    output: (place) => place.engine.read.parquet(out(place), { start: t.timestamp(), k: t.string(), n: t.long() }).collect(),
    expected: (place) =>
      windowedTable(place)
        .select(({ start, k, n }) => ({ start, k, n }))
        .collect(),
  },
  {
    name: 'mapGroupsWithState, into foreachBatch',
    input: fiveFiles,
    intoFiles: false,
    run: (place) =>
      untilDone(into(countsByKey(stream(place)).writeStream.outputMode('update').foreachBatch(intoBatchFiles(place)), place).start()),
    output: (place) => latestByKey(place, (row) => String(row['k'])),
    expected: (place) =>
      table(place)
        .groupBy('k')
        .agg(() => ({ n: count() }))
        .collect(),
  },
  {
    name: 'dropDuplicates, into json',
    input: fiveFiles,
    intoFiles: true,
    run: (place) =>
      untilDone(
        repeated(place)
          .dropDuplicates()
          .writeStream.format('json')
          .trigger(availableNow)
          .option('checkpointLocation', checkpoint(place))
          .start(out(place)),
      ),
    output: (place) => place.engine.read.json(out(place), { k: t.string(), at: t.timestamp() }).collect(),
    expected: distinctRows,
  },
  {
    name: 'dropDuplicatesWithinWatermark, into json',
    input: fiveFiles,
    intoFiles: true,
    run: (place) =>
      untilDone(
        repeated(place)
          .dropDuplicatesWithinWatermark(['k', 'at'])
          .writeStream.format('json')
          .trigger(availableNow)
          .option('checkpointLocation', checkpoint(place))
          .start(out(place)),
      ),
    output: (place) => place.engine.read.json(out(place), { k: t.string(), at: t.timestamp() }).collect(),
    expected: distinctRows,
  },
  {
    name: 'limit, into json',
    input: fiveFiles,
    intoFiles: true,
    run: (place) =>
      untilDone(
        stream(place)
          .select(() => ({ one: lit(1) }))
          .limit(limited)
          .writeStream.format('json')
          .trigger(availableNow)
          .option('checkpointLocation', checkpoint(place))
          .start(out(place)),
      ),
    output: (place) => place.engine.read.json(out(place), { one: t.int() }).collect(),
    expected: () => Promise.resolve(Array.from({ length: limited }, () => ({ one: 1 }))),
  },
  ...deltaScenarios({ windowed, windowedTable, perKey, checkpoint, out, untilDone, availableNow, fiveFiles }),
  ...migrationScenarios({ fields, perKey, checkpoint, untilDone, intoBatchFiles, latestByKey, fiveFiles }),
  ...sideOutputScenarios({ stream, table, checkpoint, out, untilDone, availableNow, fiveFiles }),
  {
    // what a batch would read is another thing after each crash: only its log entry says what it did read
    name: 'files that come one by one, without a limit',
    input: { files: 6, rows: 8, oneByOne: true },
    intoFiles: true,
    async run(place) {
      await arrive(place.input, this.input)
      const query = await place.engine.readStream
        .schema(fields)
        .json(place.input)
        .writeStream.format('json')
        .option('checkpointLocation', checkpoint(place))
        .start(out(place))
      try {
        do await query.processAllAvailable()
        while (await arrive(place.input, this.input))
      } finally {
        await query.stop()
      }
    },
    output: (place) => place.engine.read.json(out(place), fields).collect(),
    expected: (place) => table(place).collect(),
  },
  {
    // past the twelfth batch, where old entries of every log, old changelogs, snapshots and manifests go
    name: 'retention',
    input: { files: 13, rows: 6 },
    intoFiles: true,
    pointsFrom: '-> checkpoint/offsets/11',
    run: (place) =>
      untilDone(
        windowed(place)
          .writeStream.outputMode('append')
          .format('json')
          .trigger(availableNow)
          .option('checkpointLocation', checkpoint(place))
          .start(out(place)),
      ),
    output: (place) => place.engine.read.json(out(place), window10).collect(),
    expected: (place) => windowedTable(place).collect(),
  },
]

/** What a test says to the engine besides. */
export interface Surroundings {
  readonly random?: Random
  readonly observeStep?: StepObserver
  /** Default: this process, to which all others are dead, since those of the simulation have one pid. */
  readonly processIdentity?: ProcessIdentity
  readonly takeover?: boolean
  readonly keyGroups?: number | undefined
  readonly provider?: 'rocksdb' | undefined
}
/** An engine that snapshots after every batch, compacts every second entry of each log and removes what is old at once, so that these paths are crashed through as well. */
export function crashableEngine(files: Files, { keyGroups = 4, provider, ...surroundings }: Surroundings = {}): Promise<Engine> {
  return millrace.local({
    random: systemRandom,
    observeStep: () => {},
    processIdentity: { ...systemProcess(), isAlive: () => false },
    ...surroundings,
    files,
    threads: 1,
    print: () => {},
    conf: {
      'millrace.keyGroups': keyGroups,
      'spark.sql.streaming.stateStore.providerClass': provider ?? 'memory',
      // so little that rows do not stay in memory between batches
      'spark.sql.streaming.stateStore.rocksdb.maxMemoryUsageMB': 8,
      'spark.sql.shuffle.partitions': Math.min(2, keyGroups),
      'spark.sql.streaming.stateStore.maintenanceInterval': '0ms',
      'millrace.stateStore.changelogTailBytes': 1,
      'spark.sql.streaming.minBatchesToRetain': 2,
      'spark.sql.streaming.fileSink.log.compactInterval': 2,
      'spark.sql.streaming.fileSink.log.cleanupDelay': '0ms',
      'spark.sql.streaming.fileSource.log.compactInterval': 3,
      'spark.sql.streaming.fileSource.log.cleanupDelay': '0ms',
    },
  })
}
