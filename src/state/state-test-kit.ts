/** What the tests of this room share: files in memory, a schema with everything in it, rows for it, and a plain Map that says what state must be. */
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import type { FileEntry, Files, StagedFile } from '../base/files.ts'
import type { ColumnBatch } from '../data/column-batch.ts'
import type { Row } from '../data/row-set.ts'
import { Schema } from '../data/schema.ts'
import type { MergeOp, StateSchema } from '../data/state-schema.ts'
import type { DataType } from '../data/types.ts'
import { decimal } from '../data/types.ts'
import { columnsToRows, Decimal, rowsToColumns, Temporal } from '../data/values.ts'
import type { StateProvider } from './state-options.ts'
import type { KeyedBatch } from './state-store.ts'

export class MemoryFiles implements Files {
  readonly content = new Map<string, Uint8Array>()
  /** Paths of every file that was ever deleted. */
  readonly deleted: string[] = []
  async read(path: string): Promise<Uint8Array> {
    const content = this.content.get(path)
    if (content === undefined) throw Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' })
    return new Uint8Array(content)
  }
  async list(folder: string): Promise<FileEntry[]> {
    const names = new Map<string, FileEntry>()
    for (const [path, content] of this.content) {
      if (!path.startsWith(`${folder}/`)) continue
      const [name = '', ...rest] = path.slice(folder.length + 1).split('/')
      names.set(name, { name, path: `${folder}/${name}`, isDirectory: rest.length > 0, sizeBytes: content.length, modifiedMs: 0 })
    }
    return [...names.values()]
  }
  async stat(path: string): Promise<FileEntry | undefined> {
    const content = this.content.get(path)
    return content && { name: path.slice(path.lastIndexOf('/') + 1), path, isDirectory: false, sizeBytes: content.length, modifiedMs: 0 }
  }
  async createExclusive(path: string, content: Uint8Array | string): Promise<boolean> {
    if (this.content.has(path)) return false
    await this.replace(path, content)
    return true
  }
  async stage(path: string, content: Uint8Array | string): Promise<StagedFile> {
    return { publish: () => this.createExclusive(path, content), drop: async () => {} }
  }
  async create(path: string, content: Uint8Array | string): Promise<void> {
    if (!(await this.createExclusive(path, content))) throw Object.assign(new Error(`EEXIST: ${path}`), { code: 'EEXIST' })
  }
  async replace(path: string, content: Uint8Array | string): Promise<void> {
    this.content.set(path, new Uint8Array(typeof content === 'string' ? Buffer.from(content) : content))
  }
  async makeFolder(): Promise<void> {}
  async sync(): Promise<void> {}
  async delete(path: string): Promise<void> {
    this.content.delete(path)
    this.deleted.push(path)
  }
  async move(): Promise<boolean> {
    throw new Error('not used')
  }
}

/**
 * Which provider the tests of this process are about: memory, or what MILLRACE_TEST_STATE says. Each call stands for one machine, whose local state
 * outlives the runs on it; a small memory makes it forget its rows between batches.
 */
export function newProvider(memoryBytes = 100_000): () => StateProvider {
  if (!isRocksdb()) return () => ({ kind: 'memory' })
  const folder = mkdtempSync(join(parentFolder(), 'db'))
  return () => ({ kind: 'rocksdb', isNew: true, folder, memoryBytes, writeBufferRatio: 0.5, blockBytes: 4096, warn: () => {} })
}
export const isRocksdb = () => process.env['MILLRACE_TEST_STATE'] === 'rocksdb'
/** Of `count` runs of a property those that this provider is given: opening a database takes longer than most of what a run does. */
export const runsHere = (count: number) => (isRocksdb() ? Math.ceil(count / 4) : count)

let parent: string | undefined
function parentFolder(): string {
  if (parent !== undefined) return parent
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'millrace-state-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  parent = folder
  return folder
}

const value = (name: string, type: DataType, merge: MergeOp, nullable = true) => ({ name, type, merge, nullable })

/** Every type and every operation, keys that may be null, a column that has no null. */
export const everySchema: StateSchema = {
  keys: [
    { name: 'id', type: 'int', nullable: false },
    { name: 'at', type: 'timestamp', nullable: true },
    { name: 'name', type: 'string', nullable: true },
    { name: 'flag', type: 'boolean', nullable: true },
  ],
  values: [
    value('count', 'long', 'sum', false),
    value('sum_long', 'long', 'sum'),
    value('sum_int', 'int', 'sum'),
    value('sum_double', 'double', 'sum'),
    value('sum_decimal', decimal(12, 2), 'sum'),
    value('sum_big', decimal(30, 3), 'sum'),
    value('min_long', 'long', 'min'),
    value('max_long', 'long', 'max'),
    value('min_double', 'double', 'min'),
    value('max_double', 'double', 'max', false),
    value('min_float', 'float', 'min'),
    value('max_float', 'float', 'max'),
    value('min_string', 'string', 'min'),
    value('max_string', 'string', 'max'),
    value('min_date', 'date', 'min'),
    value('max_time', 'timestamp_ntz', 'max'),
    value('max_short', 'short', 'max'),
    value('min_byte', 'byte', 'min'),
    value('max_flag', 'boolean', 'max'),
    value('max_big', decimal(25, 0), 'max'),
    value('first_string', 'string', 'first'),
    value('last_string', 'string', 'last'),
    value('replace_string', 'string', 'replace'),
    value('replace_binary', 'binary', 'replace'),
    value('first_long', 'long', 'first'),
    value('replace_long', 'long', 'replace'),
    value('replace_list', { kind: 'array', element: 'long', containsNull: true }, 'replace'),
    value(
      'last_struct',
      {
        kind: 'struct',
        fields: [
          { name: 'a', type: 'timestamp', nullable: true },
          { name: 'b', type: 'double', nullable: true },
        ],
      },
      'last',
    ),
    value('max_list', { kind: 'array', element: 'string', containsNull: true }, 'max'),
    value('last_float', 'float', 'last'),
    value('replace_short', 'short', 'replace'),
  ],
  eventTime: { key: 1 },
}

export function schemaFields(schema: StateSchema): Schema {
  return new Schema([...schema.keys, ...schema.values].map(({ name, type, nullable }) => ({ name, type, nullable })))
}

/** Rows with their key ids; a key is its number in the column `id`. */
export function keyed(schema: StateSchema, rows: readonly Row[]): KeyedBatch {
  const keyIds = new Uint32Array(rows.length * 4)
  rows.forEach((row, i) => {
    const digest = createHash('md5').update(`salt${row['id']}`).digest()
    for (let word = 0; word < 4; word++) keyIds[4 * i + word] = digest.readUInt32BE(4 * word)
  })
  return { keyIds, rows: rowsToColumns(schemaFields(schema), rows) }
}

/** A value as text in which equal values are equal. */
export function plain(value: unknown): string {
  if (value === null || value === undefined) return 'null'
  if (typeof value === 'number') return Object.is(value, -0) ? '0' : String(value)
  if (value instanceof Uint8Array) return `0x${Buffer.from(value).toString('hex')}`
  if (Array.isArray(value)) return `[${value.map(plain).join(',')}]`
  if (typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype)
    return `{${Object.values(value).map(plain).join(',')}}`
  return String(value)
}
export function plainRow(row: Row): string {
  return Object.values(row).map(plain).join(' | ')
}
export function plainRows(batches: Iterable<ColumnBatch>): string[] {
  return [...batches].flatMap((batch) => columnsToRows(batch).map(plainRow)).sort()
}

/** What state must be: a row a key, folded in one at a time. */
export class StateModel {
  rows = new Map<number, Row>()
  readonly #schema: StateSchema
  constructor(schema: StateSchema) {
    this.#schema = schema
  }
  /** The touched rows as they then stand, in the order of their first coming. */
  merge(rows: readonly Row[]): string[] {
    const touched = new Set<number>()
    for (const row of rows) {
      const id = row['id'] as number
      touched.add(id)
      const kept = this.rows.get(id)
      if (kept === undefined) this.rows.set(id, { ...row })
      else for (const { name, merge } of this.#schema.values) kept[name] = fold(merge, kept[name], row[name])
    }
    return [...touched].map((id) => plainRow(this.rows.get(id)!))
  }
  evict(watermarkUs: bigint): string[] {
    const gone = [...this.rows].filter(
      ([, row]) => row['at'] !== null && (row['at'] as Temporal.Instant).epochNanoseconds <= watermarkUs * 1000n,
    )
    for (const [id] of gone) this.rows.delete(id)
    return gone.map(([, row]) => plainRow(row)).sort()
  }
  all(): string[] {
    return [...this.rows.values()].map(plainRow).sort()
  }
  copy(): Map<number, Row> {
    return new Map([...this.rows].map(([id, row]) => [id, { ...row }]))
  }
}

function fold(op: MergeOp, kept: unknown, next: unknown): unknown {
  if (op === 'replace') return next
  if (next === null) return kept
  if (kept === null) return next
  switch (op) {
    case 'sum':
      return kept instanceof Decimal
        ? new Decimal(kept.unscaled + (next as Decimal).unscaled, kept.scale)
        : typeof kept === 'bigint'
          ? kept + (next as bigint)
          : (kept as number) + (next as number)
    case 'min':
      return order(next, kept) < 0 ? next : kept
    case 'max':
      return order(next, kept) > 0 ? next : kept
    case 'first':
      return kept
    default:
      return next
  }
}
function order(a: unknown, b: unknown): number {
  if (a === null || b === null) return (a === null ? 0 : 1) - (b === null ? 0 : 1)
  if (typeof a === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b as string))
  if (typeof a === 'number') return Number.isNaN(a) ? (Number.isNaN(b) ? 0 : 1) : Number.isNaN(b) ? -1 : a - (b as number)
  if (a instanceof Decimal) return a.compare(b as Decimal)
  if (a instanceof Temporal.PlainDate) return Temporal.PlainDate.compare(a, b as Temporal.PlainDate)
  if (a instanceof Temporal.PlainDateTime) return Temporal.PlainDateTime.compare(a, b as Temporal.PlainDateTime)
  if (Array.isArray(a)) {
    const other = b as unknown[]
    for (let i = 0; i < Math.min(a.length, other.length); i++) {
      const sign = order(a[i], other[i])
      if (sign !== 0) return sign
    }
    return a.length - other.length
  }
  return a === b ? 0 : (a as bigint) < (b as bigint) ? -1 : 1
}

// ---- random rows ---------------------------------------------------------------------------------------------------------------------------

/** Strings that shrink, grow, are empty, and go past ASCII and past UTF-16's surrogates. */
const someString = fc.oneof(
  fc.constantFrom('', 'a', 'é', '😀', '\uffff', 'zz'),
  fc.string({ maxLength: 8 }),
  fc.integer({ min: 40, max: 200 }).map((n) => 'x'.repeat(n)),
)
const smallDouble = fc.oneof(
  fc.integer({ min: -1000, max: 1000 }).map((n) => n / 4),
  fc.constantFrom(0, -0, Number.NaN, Infinity, -Infinity),
)
const long = fc.oneof(
  fc.bigInt({ min: -(2n ** 60n), max: 2n ** 60n }),
  fc.bigInt({ min: -5n, max: 5n }),
  fc.constantFrom(2n ** 32n, -(2n ** 32n), 0xffff_ffffn),
)

function someValue(type: DataType, op: MergeOp | 'key'): fc.Arbitrary<unknown> {
  if (typeof type !== 'string') {
    switch (type.kind) {
      case 'decimal': {
        const most = 10n ** BigInt(type.precision - 4)
        return fc.bigInt({ min: -most, max: most }).map((unscaled) => new Decimal(unscaled, type.scale))
      }
      case 'array':
        return fc.array(fc.option(someValue(type.element, 'key')), { maxLength: 3 })
      case 'struct':
        return fc
          .tuple(...type.fields.map((field) => fc.option(someValue(field.type, 'key'))))
          .map((items) => Object.fromEntries(type.fields.map(({ name }, i) => [name, items[i]])))
      default:
        throw new Error('no maps here')
    }
  }
  switch (type) {
    case 'boolean':
      return fc.boolean()
    case 'byte':
      return fc.integer({ min: -128, max: 127 })
    case 'short':
      return fc.integer({ min: -32768, max: 32767 })
    case 'int':
      return fc.integer({ min: -100_000, max: 100_000 })
    case 'long':
      return op === 'sum' ? fc.bigInt({ min: -(2n ** 52n), max: 2n ** 52n }) : long
    case 'float':
      return smallDouble
    case 'double':
      return op === 'sum' ? fc.integer({ min: -1000, max: 1000 }).map((n) => n / 4) : smallDouble
    case 'string':
      return someString
    case 'binary':
      return fc.uint8Array({ maxLength: 20 })
    case 'date':
      return fc.integer({ min: -1000, max: 20000 }).map((days) => new Temporal.PlainDate(1970, 1, 1).add({ days }))
    case 'timestamp':
      return someTime.map((us) => new Temporal.Instant(us * 1000n))
    case 'timestamp_ntz':
      return fc.integer({ min: -1e6, max: 1e6 }).map((ms) => new Temporal.PlainDateTime(1970, 1, 1).add({ milliseconds: ms * 1001 }))
    default:
      throw new Error(`no ${type} here`)
  }
}
/** Within a few seconds, over years, before 1970, past what a double holds exactly. */
export const someTime = fc.oneof(
  fc.bigInt({ min: 1_700_000_000_000_000n, max: 1_700_000_005_000_000n }),
  fc.bigInt({ min: -(10n ** 15n), max: 10n ** 16n }),
  fc.constantFrom(1_700_000_001_000_000n, 1_700_000_002_000_000n, 100_000_000_000_000_001n, 100_000_000_000_000_002n),
)

/** Rows for `keys` different keys. The other key columns follow from the id, as the same key always has the same. */
export function someRows(schema: StateSchema, keys: number, maxLength: number): fc.Arbitrary<Row[]> {
  const values = schema.values.map(({ type, merge, nullable }) =>
    nullable ? fc.option(someValue(type, merge), { freq: 3 }) : someValue(type, merge),
  )
  const row = fc.tuple(fc.integer({ min: 0, max: keys - 1 }), ...values).map(([id, ...items]) => ({
    ...keyColumns(id as number),
    ...Object.fromEntries(schema.values.map(({ name }, i) => [name, items[i]])),
  }))
  return fc.array(row, { maxLength, size: 'max' })
}
function keyColumns(id: number): Row {
  const us =
    id % 11 === 0
      ? null
      : id % 3 === 0
        ? 1_700_000_000_000_000n + BigInt(id) * 10_000n
        : id % 3 === 1
          ? BigInt(id - 50) * 10n ** 13n
          : 100_000_000_000_000_000n + BigInt(id)
  return {
    id,
    at: us === null ? null : new Temporal.Instant(us * 1000n),
    name: id % 7 === 0 ? null : 'k'.repeat(id % 60),
    flag: id % 5 === 0 ? null : id % 2 === 0,
  }
}
