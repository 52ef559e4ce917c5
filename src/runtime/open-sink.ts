import { InvalidQueryError } from '../base/errors.ts'
import { Options } from '../base/options.ts'
import type { Schema } from '../data/schema.ts'
import type { ForeachBatchInstance, OutputsInstance, SinkInstance, StartQuery } from '../query/engine-port.ts'
import { queryOptions } from '../sinks/file-sink-options.ts'
import { foreachBatchSink } from '../sinks/foreach-batch.ts'
import type { Sink, SinkContext, SinkProvider } from '../sinks/sink.ts'
import type { Relation, SqlBatch } from '../sql/sql-batch.ts'
import { findProvider } from './find-provider.ts'
import { checkOutputs, mayBeTemporary, type OutputsSink, openOutputs } from './outputs.ts'
import { type BatchEnvironment, computeOutput, runBatch } from './run-batch.ts'

/** Lets user code or several sinks read a batch's rows under a name while `use` runs. */
export type WithRelation = <T>(sql: SqlBatch, relation: Relation, use: () => Promise<T>) => Promise<T>

/** A sink format as start() needs it, whether found by name or given as an object. */
export interface SinkFormat {
  readonly outputModes: readonly string[]
  readonly allowsTemporaryCheckpoint: boolean
  readonly heedsPartitionBy?: boolean
  open(context: SinkContext): Promise<{ readonly sink: Sink; readonly withRelation?: WithRelation; readonly outputs?: OutputsSink }>
}

/** The sink that a query asks for, checked against what the query is. All errors are InvalidQueryError. */
export function findSink(
  spec: StartQuery,
  schema: Schema,
  providers: readonly SinkProvider[],
  memoryTables: unknown,
  environment: BatchEnvironment,
): SinkFormat {
  const format = sinkFormat(spec, schema, providers, memoryTables, environment)
  checkOutputMode(spec, format)
  checkPartitionBy(spec, format)
  return format
}

function sinkFormat(
  spec: StartQuery,
  schema: Schema,
  providers: readonly SinkProvider[],
  memoryTables: unknown,
  environment: BatchEnvironment,
): SinkFormat {
  const instance = spec.instance as SinkInstance | ForeachBatchInstance | OutputsInstance | undefined
  const everyMode = ['append', 'update', 'complete']
  switch (instance?.kind) {
    case 'sink':
      return {
        outputModes: instance.outputModes,
        allowsTemporaryCheckpoint: true,
        open: async (context) => ({ sink: (await instance.open(context as never)) as Sink }),
      }
    case 'foreach-batch':
      return {
        outputModes: everyMode,
        allowsTemporaryCheckpoint: true,
        open: async ({ options }) => {
          new Options('foreachBatch', options, queryOptions)
          return foreachBatch(instance, schema, environment)
        },
      }
    case 'outputs':
      checkOutputs(instance, spec.outputMode, providers)
      return {
        outputModes: everyMode,
        allowsTemporaryCheckpoint: mayBeTemporary(instance, providers),
        open: (context) => {
          new Options('outputs', context.options, queryOptions)
          return outputs(instance, context, providers, memoryTables, environment)
        },
      }
    default: {
      const provider = findProvider('sink', spec.format, providers)
      if (provider.takesPlans?.includes(spec.outputMode))
        return { ...provider, open: (context) => withPlans(provider, context, environment) }
      return { ...provider, open: async (context) => ({ sink: await provider.open(context) }) }
    }
  }
}

async function outputs(
  instance: OutputsInstance,
  context: SinkContext,
  providers: readonly SinkProvider[],
  memoryTables: unknown,
  environment: BatchEnvironment,
) {
  const { relation } = instance
  const { relations } = environment
  const run: Parameters<typeof openOutputs>[4] = (plan, use) => runBatch(plan, environment, use)
  const sink = await openOutputs(instance, context, memoryTables, providers, run, {
    relation,
    relations,
    compute: (plan, letters) => computeOutput(plan, environment, letters),
  })
  const withRelation: WithRelation = (sql, rows, use) => relations.withName(relation, sql, rows, use)
  return { sink, withRelation, outputs: sink }
}

/** A sink that runs plans of its own over each batch's rows. */
async function withPlans(provider: SinkProvider, context: SinkContext, { relations }: BatchEnvironment) {
  let name = ''
  const inner = await provider.open(context)
  const sink: Sink = {
    description: inner.description,
    guarantee: inner.guarantee,
    addBatch: (batch) => inner.addBatch({ ...batch, plan: { kind: 'local', schema: context.schema, relation: name } }),
    maintain: async () => inner.maintain?.(),
    stop: () => inner.stop(),
  }
  const withRelation: WithRelation = (sql, relation, use) =>
    relations.with(sql, relation, (given) => {
      name = given
      return use()
    })
  return { sink, withRelation }
}

function foreachBatch(instance: ForeachBatchInstance, schema: Schema, { relations }: BatchEnvironment) {
  let name = ''
  const sink = foreachBatchSink((_rows, batchId, context) =>
    instance.call({ kind: 'local', schema, relation: name }, BigInt(batchId), context),
  )
  const withRelation: WithRelation = (sql, relation, use) =>
    relations.with(sql, relation, (given) => {
      name = given
      return use()
    })
  return { sink, withRelation }
}

function checkOutputMode(spec: StartQuery, sink: SinkFormat): void {
  if (sink.outputModes.includes(spec.outputMode)) return
  throw new InvalidQueryError('STREAMING_OUTPUT_MODE.UNSUPPORTED_DATASOURCE', {
    what: `the sink ${spec.format} does not support output mode ${spec.outputMode}`,
    todo: `use ${sink.outputModes.join(' or ')}, or foreachBatch`,
  })
}

function checkPartitionBy({ format, partitionBy }: StartQuery, sink: SinkFormat): void {
  if (partitionBy.length === 0 || sink.heedsPartitionBy) return
  throw new InvalidQueryError('PARTITION_BY_NOT_SUPPORTED', {
    what: `the sink ${format} has no partitions, and partitionBy(${partitionBy.join(', ')}) was called`,
    todo: 'leave partitionBy out, or write files',
  })
}
