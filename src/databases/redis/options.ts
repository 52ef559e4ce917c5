import { InvalidQueryError } from '../../base/errors.ts'
import { Options } from '../../base/options.ts'
import type { Schema } from '../../data/schema.ts'
import { type DeleteColumn, findDeleteColumn, refuseInCompleteMode } from '../../sinks/delete-column.ts'
import { queryOptions } from '../../sinks/file-sink-options.ts'
import type { SinkContext } from '../../sinks/sink.ts'
import { columnList, columnsNamed } from '../column-names.ts'
import { readPems } from '../pem.ts'

/** What a row becomes: a hash of its own, a string (its one value, or its JSON), or an entry of a stream. */
export type Structure = 'hash' | 'string' | 'json' | 'stream'
const structures: readonly Structure[] = ['hash', 'string', 'json', 'stream']

export interface RedisConnection {
  readonly url: string
  readonly username?: string
  readonly password?: string
  readonly database?: number
  readonly cluster: boolean
  readonly connectTimeoutMs: number
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string }
}
export interface RedisSinkOptions {
  readonly connection: RedisConnection
  readonly structure: Structure
  /** Before every key; of a stream its name. */
  readonly prefix: string
  /** Positions of the columns that a key is made of. */
  readonly keyColumns: readonly number[]
  /** Positions of the columns that are stored. */
  readonly valueColumns: readonly number[]
  /** Which rows take their key away, in place of being written. */
  readonly deletes: DeleteColumn | null
  readonly noteKey: string
  readonly ttlMs: number | undefined
  readonly maxLength: number | undefined
  readonly pieceRows: number
  readonly adoptOutput: boolean
  readonly waitReplicas: number
  readonly waitTimeoutMs: number
  readonly maxRetries: number
  readonly retryDelayMs: number
}

const names = [
  ...queryOptions,
  'path',
  'url',
  'username',
  'password',
  'database',
  'cluster',
  'connectTimeout',
  'tls.ca',
  'tls.cert',
  'tls.key',
  'structure',
  'prefix',
  'stream',
  'key',
  'deleteColumn',
  'noteKey',
  'ttl',
  'maxLength',
  'pieceRows',
  'adoptOutput',
  'waitReplicas',
  'waitTimeout',
  'maxRetries',
  'retryDelay',
]

/** Checks options and schema. All errors are InvalidQueryError. */
export function redisSinkOptions({ options: given, schema, outputMode }: SinkContext): RedisSinkOptions {
  const options = new Options('the Redis sink', given, names)
  const structure = structureOf(options)
  const isStream = structure === 'stream'
  if (isStream && outputMode !== 'append') {
    throw new InvalidQueryError('STREAMING_OUTPUT_MODE.UNSUPPORTED_DATASOURCE', {
      what: `a Redis stream is only added to, and the output mode is ${outputMode}`,
      todo: "use outputMode('append'), or structure = hash",
    })
  }
  const [own, other] = isStream ? (['stream', 'prefix'] as const) : (['prefix', 'stream'] as const)
  for (const name of [other, ...(isStream ? ['key', 'ttl', 'deleteColumn'] : ['maxLength'])]) refuse(options, name, structure)
  const prefix = options.text(own) ?? options.text('path') ?? options.required(own, `.option('${own}', 'clicks${isStream ? '' : ':'}')`)
  const keyColumns = isStream ? [] : columnsNamed('key', columnList(options.required('key', ".option('key', 'user, day')")), schema)
  const deleteColumn = options.text('deleteColumn') ?? null
  refuseInCompleteMode(deleteColumn, outputMode, 'keys')
  const deletes = findDeleteColumn(
    schema,
    deleteColumn,
    keyColumns.map((at) => schema.names[at]!),
  )
  const cluster = options.flag('cluster', false)
  if (cluster && !/\{[^}]+\}/.test(prefix)) {
    throw new InvalidQueryError('REDIS_HASH_TAG_MISSING', {
      what: `${own} = ${JSON.stringify(prefix)} has no hash tag, and on a cluster all keys of a batch must lie in one slot`,
      todo: `put a tag into it: .option('${own}', '{clicks}${isStream ? '' : ':'}')`,
    })
  }
  return {
    connection: connectionOf(options, cluster),
    structure,
    prefix,
    keyColumns,
    valueColumns: valueColumnsOf(structure, keyColumns, deletes, schema),
    deletes,
    noteKey: options.text('noteKey') ?? `${prefix}${prefix.endsWith(':') ? '' : ':'}millrace`,
    ttlMs: options.durationMs('ttl', 's'),
    maxLength: options.wholeNumber('maxLength', 1),
    pieceRows: options.wholeNumber('pieceRows', 1) ?? 1000,
    adoptOutput: options.flag('adoptOutput', false),
    waitReplicas: options.wholeNumber('waitReplicas', 0) ?? 0,
    waitTimeoutMs: options.durationMs('waitTimeout') ?? 10_000,
    maxRetries: options.wholeNumber('maxRetries', 0) ?? 6,
    retryDelayMs: options.durationMs('retryDelay') ?? 200,
  }
}

function structureOf(options: Options): Structure {
  const text = options.text('structure')?.toLowerCase() ?? 'hash'
  const structure = structures.find((each) => each === text)
  if (structure) return structure
  throw new InvalidQueryError('INVALID_OPTION_VALUE', {
    what: `structure = ${JSON.stringify(text)} is not ${structures.join(', ')}`,
    todo: 'give one of them, or leave the option out (hash)',
  })
}

function refuse(options: Options, name: string, structure: Structure): void {
  if (options.text(name) === undefined) return
  throw new InvalidQueryError('INCOMPATIBLE_OPTIONS', {
    what: `the option "${name}" has no meaning with structure = ${structure}`,
    todo: 'leave one of them out',
  })
}

/** A hash and a stream take all columns, so that a reader needs no key to know them; a string takes the one that is no key. */
function valueColumnsOf(structure: Structure, keys: readonly number[], deletes: DeleteColumn | null, schema: Schema): number[] {
  const all = schema.fields.map((_, i) => i).filter((i) => i !== deletes?.at)
  const others = all.filter((i) => !keys.includes(i))
  if (structure !== 'string' || others.length === 1) return structure === 'string' ? others : all
  throw new InvalidQueryError('REDIS_STRING_NEEDS_ONE_VALUE', {
    what: `structure = string stores one value for a key, and beside the key the rows have ${others.length} columns: ${others.map((i) => schema.names[i]).join(', ')}`,
    todo: 'select one of them, or use structure = json or hash',
  })
}

function connectionOf(options: Options, cluster: boolean): RedisConnection {
  const url = options.text('url') ?? 'redis://127.0.0.1:6379'
  if (!URL.canParse(url) || !/^rediss?:$/.test(new URL(url).protocol)) {
    throw new InvalidQueryError('INVALID_OPTION_VALUE', {
      what: `url = ${JSON.stringify(url.replace(/(:\/\/[^:/@]*):.*@/, '$1:…@'))} is no URL of Redis`,
      todo: 'give one such as redis://user:password@host:6379/0, or rediss:// for TLS',
    })
  }
  const tls = readPems((name) => options.text(name), { ca: 'tls.ca', cert: 'tls.cert', key: 'tls.key' })
  const [username, password] = [options.text('username'), options.text('password')]
  const database = options.wholeNumber('database', 0)
  return {
    url,
    cluster,
    connectTimeoutMs: options.durationMs('connectTimeout') ?? 10_000,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(database !== undefined && { database }),
    ...(Object.keys(tls).length > 0 && { tls }),
  }
}
