import { InvalidQueryError } from '../../base/errors.ts'
import { Options } from '../../base/options.ts'
import { type DeleteColumn, findDeleteColumn, refuseDeleteColumn } from '../../sinks/delete-column.ts'
import { queryOptions } from '../../sinks/file-sink-options.ts'
import type { SinkContext } from '../../sinks/sink.ts'
import { columnList, columnsNamed } from '../column-names.ts'
import { readPems } from '../pem.ts'
import type { SearchConnection } from './http.ts'
import { type IndexName, parseIndexName } from './index-name.ts'

export interface SearchSinkOptions {
  readonly connection: SearchConnection
  readonly index: IndexName
  /** Positions of the columns that a document's id is made of; empty where it is made of the whole row. */
  readonly idColumns: readonly number[]
  /** Which rows take their document away, in place of being written. */
  readonly deletes: DeleteColumn | null
  readonly versions: boolean
  readonly createIndex: boolean
  /** JSON of the settings of indices that are created. */
  readonly settings: Readonly<Record<string, unknown>> | undefined
  readonly textColumns: ReadonlySet<string>
  readonly maxBulkBytes: number
  readonly maxBulkRows: number
  readonly refresh: string
  readonly adoptOutput: boolean
}

const names = [
  ...queryOptions,
  'path',
  'url',
  'username',
  'password',
  'apiKey',
  'tls.ca',
  'tls.cert',
  'tls.key',
  'index',
  'id',
  'deleteColumn',
  'versions',
  'createIndex',
  'settings',
  'textColumns',
  'maxBulkBytes',
  'maxBulkRows',
  'refresh',
  'adoptOutput',
  'requestTimeout',
  'maxRetries',
  'retryDelay',
]

/** Checks options and schema. All errors are InvalidQueryError. */
export function searchSinkOptions({ format, options: given, schema, outputMode }: SinkContext): SearchSinkOptions {
  const options = new Options(`the ${format} sink`, given, names)
  const idText = outputMode === 'update' ? options.required('id', ".option('id', 'user, window_start')") : options.text('id')
  const refresh = options.text('refresh')?.toLowerCase() ?? 'false'
  if (!['true', 'false', 'wait_for'].includes(refresh)) throw invalid('refresh', refresh, 'true, false or wait_for')
  const textColumns = columnList(options.text('textColumns'))
  columnsNamed('textColumns', textColumns, schema)
  const idNames = columnList(idText)
  const idColumns = columnsNamed('id', idNames, schema)
  const deleteColumn = options.text('deleteColumn') ?? null
  if (deleteColumn !== null && idColumns.length === 0) {
    refuseDeleteColumn(
      deleteColumn,
      'the documents have ids of their own',
      "name the columns that tell them apart: .option('id', 'user, day')",
    )
  }
  return {
    connection: connectionOf(options),
    index: parseIndexName(options.text('index') ?? options.text('path') ?? options.required('index', ".option('index', 'clicks')"), schema),
    idColumns,
    deletes: findDeleteColumn(schema, deleteColumn, idNames),
    versions: options.flag('versions', true),
    createIndex: options.flag('createIndex', true),
    settings: settingsOf(options.text('settings')),
    textColumns: new Set(textColumns),
    maxBulkBytes: options.bytes('maxBulkBytes', 1) ?? 8 * 2 ** 20,
    maxBulkRows: options.wholeNumber('maxBulkRows', 1) ?? 5000,
    refresh,
    adoptOutput: options.flag('adoptOutput', false),
  }
}

function invalid(name: string, value: string, expected: string): InvalidQueryError {
  return new InvalidQueryError('INVALID_OPTION_VALUE', {
    what: `${name} = ${JSON.stringify(value)} is not ${expected}`,
    todo: `give ${expected}, or leave the option out`,
  })
}
function settingsOf(text: string | undefined): SearchSinkOptions['settings'] {
  if (text === undefined) return undefined
  try {
    const settings: unknown = JSON.parse(text)
    if (settings !== null && typeof settings === 'object' && !Array.isArray(settings)) return settings as Record<string, unknown>
  } catch {
    // told below
  }
  throw invalid('settings', text, 'a JSON object such as {"number_of_shards":3}')
}

function connectionOf(options: Options): SearchConnection {
  const urls = columnList(options.text('url') ?? 'http://127.0.0.1:9200').map((text) => {
    const url = URL.canParse(text) ? new URL(text) : undefined
    if (url && /^https?:$/.test(url.protocol)) return url
    throw invalid('url', text.replace(/(:\/\/[^:/@]*):.*@/, '$1:…@'), 'a URL such as https://search:9200, or several of one cluster')
  })
  const [username, password, apiKey] = [options.text('username'), options.text('password'), options.text('apiKey')]
  if (apiKey !== undefined && username !== undefined) {
    throw new InvalidQueryError('INCOMPATIBLE_OPTIONS', { what: 'both apiKey and username were given', todo: 'leave one of them out' })
  }
  const own = urls[0]!
  const user = username ?? decodeURIComponent(own.username)
  const basic = `${user}:${password ?? decodeURIComponent(own.password)}`
  const plain = urls.map((url) => new URL(`${url.protocol}//${url.host}${url.pathname}`))
  const tls = readPems((name) => options.text(name), { ca: 'tls.ca', cert: 'tls.cert', key: 'tls.key' })
  return {
    urls: plain,
    authorization: apiKey !== undefined ? `ApiKey ${apiKey}` : user === '' ? undefined : `Basic ${Buffer.from(basic).toString('base64')}`,
    tls,
    timeoutMs: options.durationMs('requestTimeout') ?? 60_000,
    maxRetries: options.wholeNumber('maxRetries', 0) ?? 8,
    retryDelayMs: options.durationMs('retryDelay') ?? 200,
  }
}
