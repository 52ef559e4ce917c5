import type { SideOutput } from '../query/engine-port.ts'
import type { SinkProgress } from '../query/query-progress.ts'
import type { Sink, SinkContext, SinkProvider } from '../sinks/sink.ts'
import type { Relation, SqlBatch } from '../sql/sql-batch.ts'
import type { NamedRelations } from './named-relations.ts'
import { checkOutputs, mayBeTemporary, openOutputs } from './outputs.ts'
import { type BatchEnvironment, runBatch } from './run-batch.ts'

/** What a query sets aside: rows that go to sinks of their own, in the step that delivers the batch. */
export type SideName = 'lateRows' | 'deadLetters'
export type SideSpecs = Readonly<Partial<Record<SideName, SideOutput>>>

/** A side output as findSink's checks have it. */
function asOutputs({ relation, outputs }: SideOutput) {
  return { kind: 'outputs' as const, relation, outputs }
}

/** What the side outputs may be, before anything is opened. InvalidQueryError. */
export function checkSideOutputs(specs: SideSpecs, providers: readonly SinkProvider[]): void {
  for (const spec of Object.values(specs)) checkOutputs(asOutputs(spec), 'append', providers)
}
export function allowTemporaryCheckpoint(specs: SideSpecs, providers: readonly SinkProvider[]): boolean {
  return Object.values(specs).every((spec) => mayBeTemporary(asOutputs(spec), providers))
}

interface OpenSide {
  readonly spec: SideOutput
  readonly sink: Sink
}

/** The sinks of a query's side outputs. Each gets every batch, empty ones too, so that its log has no gap. */
export class SideOutputs {
  readonly #open: ReadonlyMap<SideName, OpenSide>
  readonly #relations: NamedRelations
  /** Of the last batch. */
  progress: Readonly<Partial<Record<SideName, SinkProgress>>> | undefined
  private constructor(open: ReadonlyMap<SideName, OpenSide>, relations: NamedRelations) {
    this.#open = open
    this.#relations = relations
  }

  /** Null where there are none. */
  static async open(
    specs: SideSpecs,
    context: SinkContext,
    environment: BatchEnvironment & { readonly memoryTables: unknown; readonly sinkProviders: readonly SinkProvider[] },
  ): Promise<SideOutputs | null> {
    const opened = new Map<SideName, OpenSide>()
    const { memoryTables, sinkProviders } = environment
    try {
      for (const [name, spec] of Object.entries(specs) as [SideName, SideOutput][]) {
        const own: SinkContext = { ...context, outputMode: 'append', partitionBy: [], options: {}, schema: spec.schema, output: name }
        const sink = await openOutputs(asOutputs(spec), own, memoryTables, sinkProviders, (plan, use) => runBatch(plan, environment, use))
        opened.set(name, { spec, sink })
      }
    } catch (error) {
      await Promise.allSettled([...opened.values()].map(({ sink }) => sink.stop()))
      throw error
    }
    return opened.size === 0 ? null : new SideOutputs(opened, environment.relations)
  }

  has(name: SideName): boolean {
    return this.#open.has(name)
  }

  /** Delivers a batch to one of them. After a crash it comes again, with the same rows. */
  async deliver(name: SideName, batchId: number, sql: SqlBatch, rows: Relation): Promise<void> {
    const { spec, sink } = this.#open.get(name)!
    const { numOutputRows, metrics = {} } = await this.#relations.withName(spec.relation, sql, rows, () =>
      sink.addBatch({ batchId, rows: sql.rowSet(rows), outputMode: 'append' }),
    )
    this.progress = { ...this.progress, [name]: { description: sink.description, numOutputRows, metrics } }
  }

  async maintain(): Promise<void> {
    for (const { sink } of this.#open.values()) await sink.maintain?.()
  }

  async stop(): Promise<void> {
    const ends = await Promise.allSettled([...this.#open.values()].map(({ sink }) => sink.stop()))
    const failed = ends.find((end) => end.status === 'rejected')
    if (failed) throw failed.reason
  }
}
