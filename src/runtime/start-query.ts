import { createHash } from 'node:crypto'
import { mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Clock } from '../base/clock.ts'
import { InvalidQueryError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import type { Random } from '../base/random.ts'
import { BatchHistory } from '../checkpoint/batch-history.ts'
import type { Checkpoint } from '../checkpoint/checkpoint.ts'
import { openCheckpoint } from '../checkpoint/open-checkpoint.ts'
import { keyGroupsKey, newSalt, pinnedConf, saltKey, shufflePartitionsKey, watermarkPolicyKey } from '../checkpoint/pinned-conf.ts'
import type { ProcessIdentity } from '../checkpoint/process-identity.ts'
import { ChangedQueryError, restartRules } from '../checkpoint/restart-rules.ts'
import { ignoreMetadataKey } from '../data/file-sink-log.ts'
import { explainLogical } from '../plan/explain.ts'
import { isStreaming } from '../plan/logical-plan.ts'
import { optimize } from '../plan/rules.ts'
import { checkStreaming } from '../plan/unsupported.ts'
import { explainStreamingPlan } from '../planner/explain-physical.ts'
import { planStreaming } from '../planner/streaming.ts'
import type { StreamingPlan } from '../planner/streaming-plan.ts'
import type { OutputsInstance, StartQuery, Trigger } from '../query/engine-port.ts'
import { ProgressHistory } from '../query/progress-history.ts'
import type { StreamingQueryManager } from '../query/query-manager.ts'
import type { QueryProgress } from '../query/query-progress.ts'
import type { StepObserver } from '../query/steps.ts'
import type { StreamingQuery } from '../query/streaming-query.ts'
import type { SinkContext, SinkProvider } from '../sinks/sink.ts'
import type { SourceProvider } from '../sources/provider.ts'
import type { Source } from '../sources/source.ts'
import type { SqlEngine } from '../sql/sql-engine.ts'
import { openQueryState } from '../state/open-query-state.ts'
import type { QueryState } from '../state/state-store.ts'
import { version } from '../version.ts'
import { readTable } from './bounded-tables.ts'
import type { Conf } from './conf.ts'
import type { ExecutionParts } from './execution-parts.ts'
import { findProvider, sourceAbilities } from './find-provider.ts'
import { LocalQuery } from './local-query.ts'
import { MicroBatchExecution } from './micro-batch-execution.ts'
import type { NamedRelations } from './named-relations.ts'
import { findSink, type SinkFormat } from './open-sink.ts'
import { checkDestinations, type Destination } from './outputs.ts'
import type { QueryIdentity } from './progress-reporter.ts'
import { type Planning, planForStart, planningOf, type QueryChange, requestedPins, stateDefaults, stateOperators } from './query-change.ts'
import { type QueryOptions, queryOptions } from './query-options.ts'
import { queryShape } from './query-shape.ts'
import { ReadLimits } from './read-limits.ts'
import { rowWriter } from './row-writer.ts'
import { batchRunner } from './run-batch.ts'
import { allowTemporaryCheckpoint, checkSideOutputs, SideOutputs, type SideSpecs } from './side-outputs.ts'
import { stateProvider } from './state-provider.ts'
import { TableLetters } from './table-letters.ts'
import { WakeUp } from './wake.ts'

/** What the engine lends to a query. */
export interface QueryEnvironment {
  readonly conf: Conf
  readonly clock: Clock
  readonly random: Random
  readonly files: Files
  readonly sql: SqlEngine
  readonly manager: StreamingQueryManager
  readonly relations: NamedRelations
  readonly memoryTables: unknown
  /** The queries that run, by the folder of their checkpoint. */
  readonly activeRuns: Map<string, StreamingQuery>
  readonly takeover: boolean
  readonly observeStep: StepObserver | undefined
  readonly processIdentity: ProcessIdentity | undefined
  readonly sourceProviders: readonly SourceProvider[]
  readonly sinkProviders: readonly SinkProvider[]
  readonly print: (text: string) => void
}

/** A query that was checked, and how it will run. Nothing is open yet. */
export interface PreparedQuery {
  readonly options: QueryOptions
  readonly environment: QueryEnvironment
  readonly planning: Planning
  readonly plan: StreamingPlan
  readonly sinkFormat: SinkFormat
}

/** Everything about a query that can be checked before anything is opened. InvalidQueryError. */
export function prepareQuery(spec: StartQuery, engine: QueryEnvironment): PreparedQuery {
  const options = queryOptions(spec.options)
  const environment: QueryEnvironment = { ...engine, conf: engine.conf.with(options.conf), takeover: engine.takeover || options.takeover }
  if (!isStreaming(spec.plan)) {
    throw new InvalidQueryError('WRITE_STREAM_NOT_ALLOWED', {
      what: 'writeStream was called on a DataFrame that reads no stream',
      todo: 'use write for batch DataFrames',
    })
  }
  checkStreaming(spec.plan, spec.outputMode)
  const abilities = sourceAbilities(environment.sourceProviders, spec.deadLetters !== undefined)
  const timeZone = environment.conf.text('spark.sql.session.timeZone')
  const planning = planningOf(spec, abilities, environment.sinkProviders)
  const plan = planStreaming(optimize(spec.plan), spec.outputMode, timeZone, planning)
  if (spec.lateRows) checkLateRows(plan)
  const sinkFormat = findSink(spec, plan.schema, environment.sinkProviders, environment.memoryTables, environment)
  const sideSpecs = sideSpecsOf(spec)
  checkSideOutputs(sideSpecs, environment.sinkProviders)
  checkDestinations(destinationsOf(spec, sideSpecs), environment.sinkProviders)
  const allowsTemporaryCheckpoint = sinkFormat.allowsTemporaryCheckpoint && allowTemporaryCheckpoint(sideSpecs, environment.sinkProviders)
  return { options, environment, planning, plan, sinkFormat: { ...sinkFormat, allowsTemporaryCheckpoint } }
}

function destinationsOf(spec: StartQuery, sides: SideSpecs): Destination[] {
  const instance = spec.instance as OutputsInstance | undefined
  const own = instance?.kind === 'outputs' ? instance.outputs : [{ ...spec, name: 'the query itself' }]
  return [
    ...own,
    ...Object.entries(sides).flatMap(([side, { outputs }]) => outputs.map((each) => ({ ...each, name: `${side}.${each.name}` }))),
  ]
}
function sideSpecsOf({ lateRows, deadLetters }: StartQuery): SideSpecs {
  return { ...(lateRows && { lateRows }), ...(deadLetters && { deadLetters }) }
}

/** Late rows of a query in which none can be late are a mistake. */
function checkLateRows(plan: StreamingPlan): void {
  if (plan.stateful.some(({ late }) => late !== undefined) || plan.watermarks.some(({ future }) => future !== undefined)) return
  throw new InvalidQueryError('LATE_ROWS_WITHOUT_WATERMARK', {
    what: 'lateRows was asked for, and no step of the query drops rows that are late',
    todo: 'late rows need withWatermark and, above it, an aggregation by its column or a window of it (append or update), a deduplication or a join, or its option maxFutureSkew; or leave lateRows out',
  })
}

/** Checks a query, opens everything it needs in the order of the protocol, and lets it run. Whatever was opened is closed again where a later step fails. */
export async function startQuery(spec: StartQuery, engine: QueryEnvironment): Promise<StreamingQuery> {
  const { options, environment, planning, plan: planned, sinkFormat } = prepareQuery(spec, engine)
  const { conf, manager, random, files } = environment
  const stopsActiveRun = conf.flag('spark.sql.streaming.stopActiveRunOnRestart')
  if (!stopsActiveRun) manager.checkName(spec.queryName)
  const location = await checkpointLocation(spec, options.checkpointLocation, conf, sinkFormat.allowsTemporaryCheckpoint, random)
  const opened: { stop(): Promise<unknown> }[] = []
  if (stopsActiveRun) await environment.activeRuns.get(location.folder)?.stop()
  try {
    manager.checkName(spec.queryName)
    const change = await planForStart(spec, location.folder, conf, files, planned, planning)
    const checkpoint = await openOrMoveAside({ ...spec, options: options.sink }, change, location.folder, environment)
    const { plan } = change
    opened.push({ stop: () => checkpoint.close() })
    const identity = { id: checkpoint.queryId, runId: checkpoint.runId, name: spec.queryName }
    const history = progressHistory(checkpoint, spec, environment)
    const batches = await batchHistory(checkpoint, spec, environment)
    const execution = await openExecution(
      { ...spec, options: options.sink },
      plan,
      // where the query lost its last stateful operator, the state has to say so
      change.operators.length > 0,
      checkpoint,
      identity,
      sinkFormat,
      environment,
      opened,
      batches,
      (progress) => {
        query.keep(progress)
        if (!progress.isIdle) history?.add(progress)
      },
    )
    // the execution closes sources and sink from here on, and the state that recover() opens
    opened.splice(1, opened.length, { stop: () => execution.close() })
    const explain = (extended: boolean) =>
      (extended ? `== Logical Plan ==\n${explainLogical(spec.plan)}\n\n` : '') + explainStreamingPlan(plan)
    const query: LocalQuery = new LocalQuery(identity, execution, explain, {
      keepProgress: conf.number('spark.sql.streaming.numRecentProgressUpdates'),
      stopTimeoutMs: conf.durationMs('spark.sql.streaming.stopTimeout'),
    })
    await execution.recover()
    manager.register(query)
    environment.activeRuns.set(location.folder, query)
    manager.tell((listener) => listener.onQueryStarted?.({ ...identity, timestamp: new Date(environment.clock.nowMs()).toISOString() }))
    const close = () =>
      closeAll([
        () => execution.close(),
        async () => history?.flush(),
        async () => batches?.flush(),
        () => checkpoint.close(),
        () => location.release(query.exception !== null),
      ])
    query.launch(close, () => {
      if (environment.activeRuns.get(location.folder) === query) environment.activeRuns.delete(location.folder)
      manager.unregister(query)
      const { id, runId, exception } = query
      const ended = { id, runId, exception: exception?.message ?? null, errorClassOnException: exception?.code ?? null }
      manager.tellLater((listener) => listener.onQueryTerminated?.(ended))
    })
    return query
  } catch (error) {
    await Promise.allSettled(opened.reverse().map((each) => each.stop()))
    await location.release(true)
    throw error
  }
}

/** Each in turn, whatever becomes of the others; then the first error. */
async function closeAll(steps: readonly (() => Promise<unknown>)[]): Promise<void> {
  const errors: unknown[] = []
  for (const step of steps) await step().catch((error) => errors.push(error))
  if (errors.length > 0) throw errors[0]
}

function progressHistory(checkpoint: Checkpoint, spec: StartQuery, { conf, files, print }: QueryEnvironment): ProgressHistory | undefined {
  if (!conf.flag('millrace.progressHistory.enabled')) return undefined
  return new ProgressHistory({
    files,
    checkpointFolder: checkpoint.folder,
    maxFileBytes: conf.bytes('millrace.progressHistory.maxFileBytes')!,
    maxFiles: conf.number('millrace.progressHistory.maxFiles'),
    warn: (text) => print(`millrace: ${spec.queryName ?? checkpoint.queryId}: ${text}`),
  })
}

/** What lets batches be restored that have left the logs; null where the retention is nothing. */
async function batchHistory(
  checkpoint: Checkpoint,
  spec: StartQuery,
  { conf, files, clock, print }: QueryEnvironment,
): Promise<BatchHistory | null> {
  const retentionMs = conf.durationMs('millrace.checkpoint.retention')
  if (retentionMs === 0) return null
  const warn = (text: string) => print(`millrace: ${spec.queryName ?? checkpoint.queryId}: ${text}`)
  const history = new BatchHistory({
    files,
    checkpointFolder: checkpoint.folder,
    queryId: checkpoint.queryId,
    retentionMs,
    maxBytes: conf.bytes('millrace.checkpoint.historyMaxBytes')!,
    nowMs: () => clock.nowMs(),
    warn,
  })
  // older entries that can't be read are not what a start needs
  await history
    .fill(checkpoint.offsets, checkpoint.commits)
    .catch((error) => warn(`batches of earlier runs are not in its history: ${String(error)}`))
  return history
}

/** Where the checkpoint goes: the query's option, else a folder under the engine's, else (where the sink allows it) a temporary one. */
async function checkpointLocation(spec: StartQuery, given: string | undefined, conf: Conf, mayBeTemporary: boolean, random: Random) {
  const keep = async () => {}
  if (given) return { folder: resolve(given), release: keep }
  const parent = conf.text('spark.sql.streaming.checkpointLocation')
  if (parent) return { folder: resolve(parent, spec.queryName ?? random.uuid()), release: keep }
  if (!mayBeTemporary) {
    throw new InvalidQueryError('CHECKPOINT_LOCATION_REQUIRED', {
      what: `the query into ${spec.format} has no checkpoint, so a restart could not go on where it stood`,
      todo: "set .option('checkpointLocation', folder), or spark.sql.streaming.checkpointLocation for the engine",
    })
  }
  const folder = await mkdtemp(join(tmpdir(), 'millrace-checkpoint-'))
  const always = conf.flag('spark.sql.streaming.forceDeleteTempCheckpointLocation')
  return { folder, release: async (failed: boolean) => (failed && !always ? undefined : rm(folder, { recursive: true, force: true })) }
}

/** `millrace dev`: a checkpoint that the changed query can't go on with gives way to a new one. */
async function openOrMoveAside(spec: StartQuery, change: QueryChange, folder: string, environment: QueryEnvironment): Promise<Checkpoint> {
  try {
    return await openQueryCheckpoint(spec, change, folder, environment)
  } catch (error) {
    if (!(error instanceof ChangedQueryError) || process.env['MILLRACE_DEV'] !== 'true') throw error
    const aside = `${folder}.before-${new Date(environment.clock.nowMs()).toISOString().replaceAll(/[:.]/g, '-')}`
    await rename(folder, aside)
    environment.print(`millrace: ${error.what}; the checkpoint was moved to ${aside}, and the query begins anew`)
    return openQueryCheckpoint(spec, change, folder, environment)
  }
}

function openQueryCheckpoint(
  spec: StartQuery,
  { plan, operators }: QueryChange,
  folder: string,
  environment: QueryEnvironment,
): Promise<Checkpoint> {
  const planText = explainLogical(spec.plan)
  return openCheckpoint({
    files: environment.files,
    clock: environment.clock,
    random: environment.random,
    folder,
    queryName: spec.queryName,
    planText,
    planFingerprint: createHash('sha256').update(planText).digest('hex'),
    shape: queryShape(spec, plan),
    stateChanges: operators.flatMap(({ changes }) => changes),
    onChanges: (findings) => {
      for (const { verdict, rule, what } of findings) {
        if (verdict !== 'allowed') environment.print(`millrace: ${spec.queryName ?? folder}: ${what}: ${restartRules[rule].because}`)
      }
    },
    millraceVersion: version,
    takeover: environment.takeover,
    leaseMs: environment.conf.durationMs('millrace.leaseDuration'),
    ...(environment.processIdentity ? { processIdentity: environment.processIdentity } : {}),
  })
}

/** Opens sources and sink against the checkpoint and puts the execution together. */
async function openExecution(
  spec: StartQuery,
  plan: StreamingPlan,
  hasState: boolean,
  checkpoint: Checkpoint,
  identity: QueryIdentity,
  sinkFormat: SinkFormat,
  environment: QueryEnvironment,
  opened: { stop(): Promise<unknown> }[],
  history: BatchHistory | null,
  keep: (progress: QueryProgress) => void,
): Promise<MicroBatchExecution> {
  const { conf, manager } = environment
  const clock = spec.clock ?? environment.clock
  const pinned = pinnedConf((await checkpoint.offsets.latest())?.entry.conf, {
    ...requestedPins(conf),
    [saltKey]: newSalt(environment.random),
  })
  for (const { key, pinned: kept, requested } of pinned.differences) {
    environment.print(`millrace: the checkpoint keeps ${key} = ${kept}; the ${requested} that is configured now has no effect on it`)
  }
  const checkFence = () => checkpoint.checkFence()
  const warn = (text: string) => environment.print(`millrace: ${spec.queryName ?? identity.id}: ${text}`)
  const wake = new WakeUp()
  const sources = new Map<string, Source>()
  for (const { name, scan } of plan.sources) {
    const provider = findProvider('stream source', scan.format, environment.sourceProviders)
    const source = await provider.open({
      format: scan.format,
      schema: scan.schema,
      options: scan.options,
      metadataFolder: join(checkpoint.folder, 'sources', name),
      queryId: checkpoint.queryId,
      files: environment.files,
      clock,
      instance: scan.instance,
      checkFence,
      conf: (key) => conf.get(key),
      ...(spec.deadLetters && { keepsDeadLetters: true }),
      warn,
      onNews: () => wake.wake(),
    })
    sources.set(name, source)
    opened.push(source)
  }
  const context: SinkContext = {
    format: spec.format,
    schema: plan.schema,
    options: spec.options,
    partitionBy: spec.partitionBy,
    outputMode: spec.outputMode,
    queryId: checkpoint.queryId,
    queryName: spec.queryName,
    epoch: checkpoint.epoch,
    recovering: checkpoint.recovering,
    instance: spec.instance ?? environment.memoryTables,
    files: environment.files,
    clock,
    checkFence,
    writeRows: rowWriter(environment),
    engine: batchRunner(environment),
    conf: (key) => conf.get(key),
    print: environment.print,
  }
  const { sink, withRelation, outputs } = await sinkFormat.open(context)
  opened.push(sink)
  const sideOutputs = await SideOutputs.open(sideSpecsOf(spec), context, environment)
  if (sideOutputs) opened.push(sideOutputs)
  const parts: ExecutionParts = {
    identity,
    plan,
    checkpoint,
    pinnedConf: pinned.conf,
    salt: pinned.conf[saltKey]!,
    sources,
    sink,
    wake,
    setAside: sideOutputs && {
      outputs: sideOutputs,
      lateColumns: spec.lateRows?.columns ?? null,
      deadLetterLimits: spec.deadLetters?.limits ?? null,
      tableLetters: new TableLetters(),
    },
    readTable: (scan, columns, sql) => readTable(scan, columns, sql, environment),
    beginBatch: (parameters) => environment.sql.beginBatch({ ...parameters, ignoresSinkLogs: conf.flag(ignoreMetadataKey) }),
    openState:
      plan.stateful.length === 0 && !hasState ? null : (batchId) => openState(plan, checkpoint, batchId, pinned.conf, environment, warn),
    clock,
    trigger: spec.trigger,
    settings: {
      noDataMicroBatches: conf.flag('spark.sql.streaming.noDataMicroBatches.enabled'),
      watermarkPolicy: pinned.conf[watermarkPolicyKey] === 'max' ? 'max' : 'min',
      pollingDelayMs: conf.durationMs('spark.sql.streaming.pollingDelay'),
      noDataProgressEventIntervalMs: conf.durationMs('spark.sql.streaming.noDataProgressEventInterval'),
      minBatchesToRetain: conf.number('spark.sql.streaming.minBatchesToRetain'),
      skipsInitialKeys: conf.flag('spark.sql.streaming.flatMapGroupsWithState.skipEmittingInitialStateKeys'),
      readsAhead: conf.flag('millrace.readAhead'),
    },
    limits: new ReadLimits({ targetMs: targetBatchMs(conf, spec.trigger), memoryLimitBytes: conf.bytes('millrace.memoryLimit') ?? null }),
    observeStep: spec.observeStep ?? environment.observeStep,
    withRelation,
    outputs,
    history,
    onProgress: (progress) => {
      keep(progress)
      manager.tellLater((listener) => listener.onQueryProgress?.({ progress }))
    },
    warn,
    onIdle: (progress, isFirst) => {
      keep(progress)
      if (!isFirst)
        manager.tellLater((listener) => listener.onQueryIdle?.({ id: identity.id, runId: identity.runId, timestamp: progress.timestamp }))
    },
  }
  return new MicroBatchExecution(parts)
}

/** How long a batch should take: what is configured, else the trigger's interval, else as long as it takes. */
function targetBatchMs(conf: Conf, trigger: Trigger): number | null {
  const given = conf.text('millrace.targetBatchDuration')
  const intervalMs = trigger.kind === 'processing-time' ? trigger.intervalMs : 0
  return (given === '' ? intervalMs : conf.durationMs('millrace.targetBatchDuration')) || null
}

/** The state as it stood before a batch. */
function openState(
  plan: StreamingPlan,
  checkpoint: Checkpoint,
  batchId: number,
  pinned: Readonly<Record<string, string>>,
  environment: QueryEnvironment,
  warn: (text: string) => void,
): Promise<QueryState> {
  const { conf, files, clock } = environment
  return openQueryState({
    files,
    folder: join(checkpoint.folder, 'state'),
    queryId: checkpoint.queryId,
    epoch: checkpoint.epoch,
    version: batchId,
    epochOf: async (version) => (await checkpoint.commits.get(version - 1))?.epoch,
    operators: stateOperators(plan),
    salt: pinned[saltKey]!,
    defaults: stateDefaults(conf),
    keyGroups: Number(pinned[keyGroupsKey]),
    partitions: Number(pinned[shufflePartitionsKey]),
    checkFence: () => checkpoint.checkFence(),
    provider: stateProvider(checkpoint, pinned, conf, warn),
    clock,
    maintenanceIntervalMs: conf.durationMs('spark.sql.streaming.stateStore.maintenanceInterval'),
    minBatchesToRetain: conf.number('spark.sql.streaming.minBatchesToRetain'),
    retentionMs: conf.durationMs('millrace.checkpoint.retention'),
    restoreIntervalMs: conf.durationMs('millrace.checkpoint.restorePointInterval'),
    maxTailBytes: conf.number('millrace.stateStore.changelogTailBytes'),
  })
}
