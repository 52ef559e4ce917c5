import { assert, InvalidQueryError } from '../base/errors.ts'
import { absolutePath } from '../data/file-uri.ts'
import type { RowSet } from '../data/row-set.ts'
import type { Account } from '../data/side-rows.ts'
import type { LogicalPlan } from '../plan/logical-plan.ts'
import type { ForeachBatchInstance, OutputSpec, OutputsInstance } from '../query/engine-port.ts'
import { foreachBatchSink } from '../sinks/foreach-batch.ts'
import type { Sink, SinkBatch, SinkCommit, SinkContext, SinkGuarantee, SinkProvider } from '../sinks/sink.ts'
import type { Relation, SqlBatch } from '../sql/sql-batch.ts'
import type { DeadLetters } from './dead-letters.ts'
import { findProvider } from './find-provider.ts'
import { locate } from './held-rows.ts'
import { countRows } from './late-rows.ts'
import type { NamedRelations } from './named-relations.ts'
import { noted, placeIn } from './row-letters.ts'
import type { OutputLetters, OutputRows } from './run-batch.ts'
import { sinkAccount } from './set-aside.ts'

type RunBatch = <T>(plan: LogicalPlan, use: (rows: RowSet) => Promise<T>) => Promise<T>

type Locate = NonNullable<SinkBatch['locate']>
type AddBatch = (rows: RowSet, plan: LogicalPlan, locate?: Locate) => Promise<SinkCommit>

interface OpenOutput {
  readonly spec: OutputSpec
  readonly sink: Sink
}

/** How the outputs of a query are computed ahead, where rows may be set aside. */
export interface OutputsAhead {
  /** What the outputs' plans call the rows of a batch. */
  readonly relation: string
  readonly relations: NamedRelations
  readonly compute: (plan: LogicalPlan, letters: OutputLetters) => Promise<OutputRows>
}

/** What an output may be, before anything is opened. */
export function checkOutputs({ outputs }: OutputsInstance, outputMode: string, providers: readonly SinkProvider[]): void {
  for (const { name, format, partitionBy } of outputs) {
    const provider = findProvider('sink', format, providers)
    if (!(provider.outputModes as readonly string[]).includes(outputMode)) {
      throw new InvalidQueryError('STREAMING_OUTPUT_MODE.UNSUPPORTED_DATASOURCE', {
        what: `the output ${name} goes into ${format}, which does not support output mode ${outputMode}`,
        todo: `use ${provider.outputModes.join(' or ')}, or foreachBatch for this output`,
      })
    }
    if (partitionBy.length > 0 && !provider.heedsPartitionBy) {
      throw new InvalidQueryError('PARTITION_BY_NOT_SUPPORTED', {
        what: `the output ${name} goes into ${format}, which has no partitions, and partitionBy(${partitionBy.join(', ')}) was called`,
        todo: 'leave partitionBy out, or write files',
      })
    }
  }
}

/** Where the outputs of a query go, side outputs included. */
export interface Destination {
  /** What errors call it. */
  readonly name: string
  readonly format: string
  readonly options: Readonly<Record<string, string>>
}

/** Refuses two outputs with one folder: each would take the batches of the other, whose log it reads, for its own. InvalidQueryError OUTPUTS_SHARE_DESTINATION. */
export function checkDestinations(destinations: readonly Destination[], providers: readonly SinkProvider[]): void {
  const taken = new Map<string, Destination>()
  for (const destination of destinations) {
    const { name, format, options } = destination
    const [path, txnAppId] = ['path', 'txnappid'].map(
      (wanted) => Object.entries(options).find(([key]) => key.toLowerCase() === wanted)?.[1],
    )
    if (path === undefined || !findProvider('sink', format, providers).heedsPartitionBy) continue
    // a Delta table keeps applications apart
    const key = JSON.stringify([absolutePath(path), txnAppId])
    const other = taken.get(key)
    if (other) {
      throw new InvalidQueryError('OUTPUTS_SHARE_DESTINATION', {
        what: `two outputs of the query go into the folder ${path}: ${other.name} and ${name}`,
        todo: 'give each a folder of its own, or make one output of the two with union; of a Delta table with a txnAppId of its own for each',
      })
    }
    taken.set(key, destination)
  }
}

/** Whether every output may do without a checkpoint that lasts. */
export function mayBeTemporary({ outputs }: OutputsInstance, providers: readonly SinkProvider[]): boolean {
  return outputs.every(({ format }) => findProvider('sink', format, providers).allowsTemporaryCheckpoint)
}

/** Opens the sinks of all outputs as one sink. Those that are open are stopped again where one can't be opened. */
export async function openOutputs(
  { outputs }: OutputsInstance,
  context: SinkContext,
  memoryTables: unknown,
  providers: readonly SinkProvider[],
  runBatch: RunBatch,
  ahead?: OutputsAhead,
): Promise<OutputsSink> {
  const opened: OpenOutput[] = []
  try {
    for (const spec of outputs) opened.push({ spec, sink: await openOutput(spec, context, memoryTables, providers) })
  } catch (error) {
    await Promise.allSettled(opened.map(({ sink }) => sink.stop()))
    throw error
  }
  return new OutputsSink(opened, runBatch, ahead)
}

function openOutput(spec: OutputSpec, context: SinkContext, memoryTables: unknown, providers: readonly SinkProvider[]): Promise<Sink> {
  const instance = spec.instance as ForeachBatchInstance | undefined
  if (instance?.kind === 'foreach-batch') {
    return Promise.resolve(foreachBatchSink((_rows, batchId, context, plan) => instance.call(plan ?? spec.plan, BigInt(batchId), context)))
  }
  return findProvider('sink', spec.format, providers).open({
    ...context,
    format: spec.format,
    schema: spec.plan.schema,
    options: spec.options,
    partitionBy: spec.partitionBy,
    // what a memory table is called
    queryName: spec.name,
    output: context.output === undefined ? spec.name : `${context.output}.${spec.name}`,
    instance: spec.instance ?? memoryTables,
  })
}

const byStrength: readonly SinkGuarantee[] = ['none', 'at-least-once', 'exactly-once']

/**
 * Several sinks fed from the rows of one batch. They are written one after another, and the batch counts as done when all have it: a crash between
 * two of them delivers the batch to all again, and each makes it count once by its own means. What the outputs have in common is computed once.
 */
export class OutputsSink implements Sink {
  readonly description: string
  readonly guarantee: SinkGuarantee
  readonly #outputs: readonly OpenOutput[]
  readonly #runBatch: RunBatch
  readonly #ahead: OutputsAhead | undefined
  /** Of the batch that is next, where rows may be set aside. */
  #computed: { readonly rows: ReadonlyMap<OpenOutput, OutputRows>; readonly deadLetters: DeadLetters } | null = null
  #accounts: Account[] = []
  constructor(outputs: readonly OpenOutput[], runBatch: RunBatch, ahead?: OutputsAhead) {
    this.#ahead = ahead
    this.#outputs = outputs
    this.#runBatch = runBatch
    this.description = `Outputs[${outputs.map(({ spec, sink }) => `${spec.name}: ${sink.description}`).join(', ')}]`
    this.guarantee = byStrength[Math.min(...outputs.map(({ sink }) => byStrength.indexOf(sink.guarantee)))]!
  }

  /**
   * Computes what each output is given of a batch's rows before anything of the batch is delivered. A row that an output has no value for is a dead letter and missing there, and there only: each looks at
   * rows of its own.
   */
  async compute(sql: SqlBatch, rows: Relation, letters: Omit<OutputLetters, 'output'>): Promise<void> {
    assert(this.#ahead, 'outputs that are computed ahead know how')
    const { relation, relations, compute } = this.#ahead
    const computed = new Map<OpenOutput, OutputRows>()
    this.#accounts = []
    for (const output of this.#outputs) {
      const { name, plan } = output.spec
      const own = sql.fragment('SELECT * FROM ⟦0⟧ AS t0', [rows], rows.schema)
      const made = await relations.withName(relation, sql, own, () => compute(plan, { ...letters, output: name }))
      computed.set(output, made)
      this.#accounts.push(...made.books)
    }
    this.#computed = { rows: computed, deadLetters: letters.deadLetters }
  }

  /** The books of what was computed and delivered of the batch. */
  get accounts(): readonly Account[] {
    return this.#accounts
  }

  async addBatch({ batchId, outputMode, keepsDeadLetters }: SinkBatch): Promise<SinkCommit> {
    const commits: SinkCommit[] = []
    for (const output of this.#outputs) {
      const { spec, sink } = output
      const add: AddBatch = (rows, plan, locate) =>
        sink.addBatch({ batchId, rows, outputMode, plan, ...(keepsDeadLetters && { keepsDeadLetters }), ...(locate && { locate }) })
      const computed = this.#computed?.rows.get(output)
      commits.push(
        computed
          ? await this.#deliver(output, computed, this.#computed!.deadLetters, add)
          : await this.#runBatch(spec.plan, (rows) => add(rows, spec.plan)),
      )
    }
    this.#computed = null
    const refused = commits.flatMap((commit) => commit.refused ?? [])
    const counts = commits.map(({ numOutputRows }) => numOutputRows)
    return {
      status: commits.some(({ status }) => status === 'committed') ? 'committed' : 'already-committed',
      ...(refused.length > 0 && { refused }),
      numOutputRows: counts.includes(-1) ? -1 : counts.reduce((sum, count) => sum + count, 0),
      metrics: Object.fromEntries(
        commits.flatMap(({ numOutputRows, metrics = {} }, i) => {
          const { name } = this.#outputs[i]!.spec
          return [
            [`${name}.numOutputRows`, String(numOutputRows)],
            ...Object.entries(metrics).map(([key, value]) => [`${name}.${key}`, value]),
          ]
        }),
      ),
    }
  }

  async #deliver(
    { spec: { name, plan } }: OpenOutput,
    { sql, held }: OutputRows,
    deadLetters: DeadLetters,
    add: AddBatch,
  ): Promise<SinkCommit> {
    const { schema } = plan
    const { rows } = held
    const find: Locate = (refused) => locate(sql, held, refused, deadLetters)
    const commit = await this.#ahead!.relations.with(sql, rows, (relation) =>
      add(sql.rowSet(rows), { kind: 'local', relation, schema }, find),
    )
    const refused = await find(commit.refused ?? [])
    const { at, note } = placeIn(name, { at: 'sink' })
    const account = await sinkAccount(at, commit, () => countRows(sql, held.placed))
    if (account) this.#accounts.push(account)
    return { ...commit, refused: refused.map((record) => ({ ...record, message: noted(record.message, note) })) }
  }

  async maintain(): Promise<void> {
    for (const { sink } of this.#outputs) await sink.maintain?.()
  }

  async stop(): Promise<void> {
    const ends = await Promise.allSettled(this.#outputs.map(({ sink }) => sink.stop()))
    const failed = ends.find((end) => end.status === 'rejected')
    if (failed) throw failed.reason
  }
}
