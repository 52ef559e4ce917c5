import { InvalidQueryError } from '../base/errors.ts'
import { type DataType, type Field, typeText } from '../data/types.ts'
import type { NamedExpression } from '../plan/expression.ts'
import type { Aggregate } from '../plan/logical-plan.ts'
import { fieldSql } from './cast-sql.ts'
import { expressionSql, type SqlScope } from './expression-sql.ts'
import { type Windowed, windowBound } from './select-sql.ts'
import { quoteIdentifier, sqlType } from './sql-text.ts'

/** How one grouping key is grouped by, kept and shown. */
export interface GroupKey {
  readonly name: string
  /** Whether it is never null, whatever the data are: a window, since rows without a time are left out. */
  readonly isNeverNull: boolean
  /** What GROUP BY computes for each row: as little as tells the groups apart. */
  readonly grouped: readonly string[]
  /** The flat columns in which state keeps the key, from the grouped values. A window is two, its start and its end. */
  readonly parts: readonly {
    readonly name: string
    readonly type: DataType
    readonly nullable: boolean
    readonly sql: (grouped: readonly string[]) => string
  }[]
  /** The user's column from the parts. */
  readonly value: (parts: readonly string[]) => string
  /** Which part decides when a group is late, if the key is an event time. */
  readonly eventTimePart: number | undefined
  /** Of a session window: what each row's own is. Rows are grouped by more than `grouped` then (planner/session-sql.ts), and the parts are those of whole sessions. */
  readonly session?: RowSession
}
export interface RowSession {
  /** TIMESTAMPs. */
  readonly start: string
  readonly end: string
  /** Microseconds, above 0; `isFixed`: the same for all rows. */
  readonly gapUs: string
  readonly isFixed: boolean
  /** What rows have to fulfil that are in a session. */
  readonly where: readonly string[]
}

/** The keys of an aggregation over the rows of `windowed` (null where none is a time window). InvalidQueryError GROUP_EXPRESSION_TYPE_IS_NOT_ORDERABLE for keys with a map inside. */
export function groupKeys(plan: Aggregate, windowed: Windowed | null, scope: SqlScope): GroupKey[] {
  return plan.keys.map((key, i) =>
    i === plan.session ? sessionKey(key, hasWatermark(key, plan, i), scope) : groupKey(key, hasWatermark(key, plan, i), windowed, scope),
  )
}

function hasWatermark(key: NamedExpression, plan: Aggregate, index: number): boolean {
  return (key.watermarkDelayMs ?? plan.schema.fields[index]?.watermarkDelayMs) !== undefined
}

function groupKey(key: NamedExpression, isEventTime: boolean, windowed: Windowed | null, scope: SqlScope): GroupKey {
  const { name, expression: e } = key
  if (e.kind === 'window' && e.gap === undefined && windowed !== null) {
    const bound = typeof e.type !== 'string' && e.type.kind === 'struct' ? e.type.fields[0]!.type : 'timestamp'
    return windowKey(
      name,
      bound,
      isEventTime,
      true,
      [windowed.indexOf(e)],
      ([n]) => windowBound(n!, e, 'start'),
      ([n]) => windowBound(n!, e, 'end'),
    )
  }
  checkKeyType(name, e.type)
  const sql = expressionSql(e, scope)
  if (isEventTime && typeof e.type !== 'string' && e.type.kind === 'struct') {
    const bounds = [fieldSql(sql, 'start'), fieldSql(sql, 'end')]
    return windowKey(
      name,
      e.type.fields[0]!.type,
      isEventTime,
      false,
      bounds,
      ([start]) => start!,
      ([, end]) => end!,
    )
  }
  return {
    name,
    isNeverNull: false,
    grouped: [canonicalNumber(sql, e.type)],
    parts: [{ name, type: e.type, nullable: e.nullable, sql: ([value]) => value! }],
    value: ([part]) => part!,
    eventTimePart: isEventTime ? 0 : undefined,
  }
}

/** A session window as a key: made here, or a column that holds rows' own ones. */
function sessionKey({ name, expression: e }: NamedExpression, isEventTime: boolean, scope: SqlScope): GroupKey {
  const bound = typeof e.type !== 'string' && e.type.kind === 'struct' ? e.type.fields[0]!.type : 'timestamp'
  const key = windowKey(
    name,
    bound,
    isEventTime,
    true,
    [],
    () => 'NULL',
    () => 'NULL',
  )
  if (e.kind === 'window' && e.gap !== undefined) {
    const start = expressionSql(e.time, scope)
    const gapUs = expressionSql(e.gap, scope)
    return {
      ...key,
      session: { start, end: `make_timestamp(epoch_us(${start}) + ${gapUs})`, gapUs, isFixed: e.gap.kind === 'literal', where: [] },
    }
  }
  const struct = expressionSql(e, scope)
  const [start, end] = [fieldSql(struct, 'start'), fieldSql(struct, 'end')]
  return { ...key, session: { start, end, gapUs: `(epoch_us(${end}) - epoch_us(${start}))`, isFixed: false, where: [`${start} < ${end}`] } }
}

/** A column of the input as a key; `sql` is what it is there. */
export function columnKey({ name, type, nullable }: Field, index: number, sql: string, isEventTime: boolean): GroupKey {
  const scope: SqlScope = { column: () => sql }
  return groupKey({ name, expression: { kind: 'column', name, index, type, nullable } }, isEventTime, null, scope)
}

type FromGrouped = (grouped: readonly string[]) => string

function windowKey(
  name: string,
  bound: DataType,
  isEventTime: boolean,
  isNeverNull: boolean,
  grouped: readonly string[],
  start: FromGrouped,
  end: FromGrouped,
): GroupKey {
  return {
    name,
    isNeverNull,
    grouped,
    parts: [
      { name: `${name}.start`, type: bound, nullable: !isNeverNull, sql: start },
      { name: `${name}.end`, type: bound, nullable: !isNeverNull, sql: end },
    ],
    value: ([s, e]) => {
      const struct = `struct_pack(${quoteIdentifier('start')} := ${s}, ${quoteIdentifier('end')} := ${e})`
      return isNeverNull ? struct : `CASE WHEN ${s} IS NOT NULL THEN ${struct} END`
    },
    eventTimePart: isEventTime ? 1 : undefined,
  }
}

/** The cells of each key, which stand one after the other at the front of `cells`: as many for a key as `sizeOf` says. */
export function cellsByKey(
  keys: readonly GroupKey[],
  cells: readonly string[],
  sizeOf: (key: GroupKey) => number,
): { readonly key: GroupKey; readonly own: readonly string[] }[] {
  let end = 0
  return keys.map((key) => {
    const start = end
    end += sizeOf(key)
    return { key, own: cells.slice(start, end) }
  })
}

/** -0.0 and 0.0 are one group; adding 0.0 leaves the one that Spark shows. */
export function canonicalNumber(sql: string, type: DataType): string {
  return type === 'double' || type === 'float' ? `(${sql} + CAST(0 AS ${sqlType(type)}))` : sql
}

function checkKeyType(name: string, type: DataType): void {
  if (!hasMap(type)) return
  throw new InvalidQueryError('GROUP_EXPRESSION_TYPE_IS_NOT_ORDERABLE', {
    what: `the grouping key ${JSON.stringify(name)} has the type ${typeText(type)}; a map has no order, so its rows can't be told apart by it`,
    todo: 'group by entries of the map, for example element_at(…)',
  })
}
function hasMap(type: DataType): boolean {
  if (typeof type === 'string' || type.kind === 'decimal') return false
  if (type.kind === 'map') return true
  return type.kind === 'array' ? hasMap(type.element) : type.fields.some((field) => hasMap(field.type))
}
