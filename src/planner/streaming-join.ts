import { assert, InvalidQueryError } from '../base/errors.ts'
import { Schema } from '../data/schema.ts'
import type { StateColumn, StateSchema, StateValue } from '../data/state-schema.ts'
import type { DataType, Field } from '../data/types.ts'
import type { Expression } from '../plan/expression.ts'
import { columnsRead, expressionText, isDeterministic, shiftColumns } from '../plan/expression-tree.ts'
import { type JoinKey, joinKeys, sideOf } from '../plan/join-keys.ts'
import type { Join } from '../plan/logical-plan.ts'
import { eventTimeKey, type JoinSide, rangeBound } from '../plan/state-watermark.ts'
import { castSql, fieldSql } from './cast-sql.ts'
import { expressionSql } from './expression-sql.ts'
import { type JoinColumn, joinLayout } from './join-layout.ts'
import { type StoredColumn as PairColumn, type Pairs, pairsApart, pairsSql } from './join-pairs.ts'
import { keyIdSql } from './key-encoding-sql.ts'
import { lateInput, neededForLate } from './late-rows.ts'
import type { Needed } from './plan-sql.ts'
import type { SelectColumn } from './select-sql.ts'
import { literalSql, quoteIdentifier } from './sql-text.ts'
import type { StatefulPlanning } from './stateful-planning.ts'
import type { LateInput, StatefulJoin, StatefulJoinSide } from './streaming-plan.ts'

/** A join of two streams as a step with state; `columns` makes the needed columns of the plan of the step's own. */
export interface PlannedJoin {
  readonly node: StatefulJoin
  readonly columns: (cells: readonly string[]) => (SelectColumn | undefined)[]
}

/** InvalidQueryError where the two streams share no key. */
export function planJoin(plan: Join, needed: Needed, planning: StatefulPlanning): PlannedJoin {
  const { how } = plan
  assert(how !== 'anti', 'a left anti join of two streams was refused before')
  const { keys, others } = joinKeys(plan)
  if (keys.length === 0) throw noEquality(plan)
  const layout = joinLayout(plan)
  const output = layout.filter((_, i) => needed.has(i))
  const timeKey = eventTimeKey(plan, keys)
  const left = planSide(plan, 'left', { keys, others, output, timeKey }, planning)
  const right = planSide(plan, 'right', { keys, others, output, timeKey }, planning)
  const isLeftOnly = how === 'semi'
  const shown = [
    ...left.shown.map((field) => nullableIf(field, how === 'right' || how === 'full')),
    ...(isLeftOnly ? [] : right.shown.map((field) => nullableIf(field, how === 'left' || how === 'full'))),
  ]
  const lags = [left.evictionOffsetMs, right.evictionOffsetMs].map((offset) => -(offset ?? 0))
  const lagMs = Math.max(0, ...lags)
  const late = [left.late, right.late].filter((each) => each !== undefined)
  const numbers: Field[] = how === 'inner' || how === 'cross' ? [] : [numberField, ...(isLeftOnly ? [] : [numberField])]
  const [operatorId, operatorName] = [planning.nextOperatorId(), 'symmetricHashJoin']
  const pairs: Pairs = { plan, keys, others, left, right, numbers: numbers.length }
  const node: StatefulJoin = {
    kind: 'join',
    how: how === 'cross' ? 'inner' : how,
    inputs: [left.input, right.input],
    operatorId,
    operatorName,
    stores: [
      { name: 'left', schema: left.state },
      { name: 'right', schema: right.state },
    ],
    left: { ...left.step, unmatchedSql: keepsUnmatched(plan, 'left') ? unmatchedSql([left.values('t0'), nulls(right)]) : null },
    right: { ...right.step, unmatchedSql: keepsUnmatched(plan, 'right') ? unmatchedSql([nulls(left), right.values('t0')]) : null },
    pairsSql: pairsSql(pairs),
    pairsApart: pairsApart(pairs, `pairs of ${operatorName} ${operatorId}`),
    pairsSchema: new Schema([...shown, ...numbers]),
    outputMode: planning.outputMode(),
    schema: new Schema(shown),
    outputWatermark: lagMs === 0 ? { kind: 'same' } : { kind: 'behind', lagMs },
    noDataBatches: left.evictionOffsetMs === null && right.evictionOffsetMs === null ? 'never' : 'when-watermark-moves',
    ...(late.length > 0 && { late }),
    rowChecks: [left.step.rowsSql, right.step.rowsSql],
  }
  return {
    node,
    columns: (cells) => layout.map((column, i) => (needed.has(i) ? outputColumn(plan, column, i, cells, left, right) : undefined)),
  }
}

const numberField: Field = { name: 'row', type: 'int', nullable: false }

function noEquality({ how, condition }: Join): InvalidQueryError {
  return new InvalidQueryError('UNSUPPORTED_STREAMING_OPERATION', {
    what: `Stream-stream join without equality predicate is not supported (a ${how} join ${condition === null ? 'without a condition' : 'by other comparisons only'})`,
    todo: 'say which columns of the two streams are equal: rows are kept and found by them',
  })
}

/** Whether rows of the side that match nothing are given out. */
function keepsUnmatched({ how }: Join, side: JoinSide): boolean {
  return how === 'full' || how === side
}
function nullableIf(field: Field, mayMiss: boolean): Field {
  return mayMiss && !field.nullable ? { ...field, nullable: true } : field
}

/** What both sides are planned by. */
interface Condition {
  readonly keys: readonly JoinKey[]
  readonly others: readonly Expression[]
  readonly output: readonly JoinColumn[]
  readonly timeKey: number | undefined
}
interface StoredColumn extends PairColumn {
  readonly parts: readonly StateColumn[]
}
interface PlannedSide {
  readonly input: StatefulJoin['inputs'][number]
  readonly state: StateSchema
  readonly step: Omit<StatefulJoinSide, 'unmatchedSql'>
  readonly evictionOffsetMs: number | null
  readonly late: LateInput | undefined
  readonly keys: readonly StoredColumn[]
  /** A column of the input by its number. */
  readonly column: (index: number) => StoredColumn
  /** The columns of the input that the join gives, in their order. */
  readonly shownColumns: readonly number[]
  readonly shown: readonly Field[]
  readonly values: (rows: string) => string[]
}

function planSide(plan: Join, side: JoinSide, condition: Condition, planning: StatefulPlanning): PlannedSide {
  const leftCount = plan.left.schema.fields.length
  const { fields } = plan[side].schema
  const local = (index: number) => (side === 'left' ? index : index - leftCount)
  const isOwn = (index: number) => index < leftCount === (side === 'left')
  const keys = condition.keys.map((key) => key[side])
  const shownColumns = shownBy(condition.output, side, plan)
  const read = new Set(shownColumns)
  for (const part of condition.others) for (const index of columnsRead(part)) if (isOwn(index)) read.add(local(index))
  const inputColumns = new Set(read)
  for (const key of keys) columnsRead(key, inputColumns)
  const eventTime = eventTimeOf(plan, side, inputColumns)
  if (eventTime !== undefined) for (const index of neededForLate(planning.lateColumns, plan[side])) inputColumns.add(index)
  const { node: input, positions } = planning.input(plan[side], inputColumns)
  const cell = (index: number) => `t0.c${positions[index]!}`
  const stored = storeColumns(
    keys,
    [...read].sort((a, b) => a - b),
    fields,
  )
  const own = condition.others.filter((part) => sideOf(part, leftCount) === side && isDeterministic(part))
  const { state, evictionOffsetMs } = stateOf(plan, side, stored, condition.timeKey, keepsUnmatched(plan, side))
  const time = eventTime === undefined ? null : timeSql(fields[eventTime]!.type, cell(eventTime))
  const late = time === null ? null : `${time} <= ⟦late⟧`
  const fails =
    own.length === 0
      ? null
      : own.map((part) => expressionSql(shiftColumns(part, side === 'left' ? 0 : -leftCount), { column: cell })).join(' AND ')
  const step = sideStep(stored, state, { cell, keys, late, fails, numbered: plan.how !== 'inner' && plan.how !== 'cross' })
  return {
    input,
    state,
    step: { ...step, evictionOffsetMs },
    late:
      time === null
        ? undefined
        : lateInput({ wanted: planning.lateColumns, plan: plan[side], cell, time, side, input: side === 'left' ? 0 : 1 }),
    evictionOffsetMs,
    keys: stored.keys,
    column: (index) => stored.columns.get(index)!,
    shownColumns,
    shown: shownColumns.map((index) => fields[index]!).map(({ name, type, nullable }) => ({ name, type, nullable })),
    values: (rows) => shownColumns.map((index) => stored.columns.get(index)!.value(rows)),
  }
}

function shownBy(output: readonly JoinColumn[], side: JoinSide, plan: Join): number[] {
  const other = side === 'left' ? 'right' : 'left'
  if (side === 'right' && plan.how === 'semi') return []
  return [...new Set(output.filter(({ from }) => from !== other).map((column) => column[side]))].sort((a, b) => a - b)
}

/** Whose rows can be late: those of an input with an event time among the columns that the join reads. */
function eventTimeOf(plan: Join, side: JoinSide, read: ReadonlySet<number>): number | undefined {
  const { fields } = plan[side].schema
  const marked = [...read].filter((index) => fields[index]!.watermarkDelayMs !== undefined)
  if (marked.length <= 1) return marked[0]
  throw new InvalidQueryError('MULTIPLE_EVENT_TIME_COLUMNS', {
    what: `More than one event time columns are available: ${marked.map((index) => fields[index]!.name).join(' and ')} on the ${side} side of the join both carry a watermark`,
    todo: 'select only one of them before the join, or cast the other, which takes its mark away',
  })
}

interface StoredColumns {
  readonly keys: readonly StoredColumn[]
  readonly keyExpressions: readonly Expression[]
  /** Columns of the input: keys that are nothing else, and values. */
  readonly columns: ReadonlyMap<number, StoredColumn>
  /** Those that are stored as values, in order. */
  readonly values: readonly number[]
}

function storeColumns(keys: readonly Expression[], read: readonly number[], fields: readonly Field[]): StoredColumns {
  const taken = new Set<string>()
  let at = 0
  const place = (name: string, type: DataType, nullable: boolean, origin: string): StoredColumn => {
    const column = storedColumn(at, freeName(name, taken), type, nullable, origin)
    at += column.parts.length
    return column
  }
  const stored = keys.map((key, i) =>
    place(key.kind === 'column' ? fields[key.index]!.name : `key${i + 1}`, key.type, key.nullable, expressionText(key)),
  )
  const columns = new Map<number, StoredColumn>()
  keys.forEach((key, i) => {
    if (key.kind === 'column' && !columns.has(key.index)) columns.set(key.index, stored[i]!)
  })
  const values = read.filter((index) => !columns.has(index))
  for (const index of values)
    columns.set(index, place(fields[index]!.name, fields[index]!.type, fields[index]!.nullable, fields[index]!.name))
  return { keys: stored, keyExpressions: keys, columns, values }
}

function storedColumn(at: number, name: string, type: DataType, nullable: boolean, origin: string): StoredColumn {
  if (!isWindow(type)) return { at, parts: [{ name, type, nullable, origin }], value: (rows) => `${rows}.c${at}` }
  const mayBeNull = nullable || type.fields.some((field) => field.nullable)
  return {
    at,
    parts: type.fields.map((field) => ({
      name: `${name}.${field.name}`,
      type: field.type,
      nullable: mayBeNull,
      origin: `${origin}.${field.name}`,
    })),
    value: (rows) => {
      const struct = `struct_pack(${quoteIdentifier('start')} := ${rows}.c${at}, ${quoteIdentifier('end')} := ${rows}.c${at + 1})`
      return nullable ? `CASE WHEN ${rows}.c${at} IS NOT NULL THEN ${struct} END` : struct
    },
  }
}
function isWindow(type: DataType): type is Extract<DataType, { kind: 'struct' }> {
  if (typeof type === 'string' || type.kind !== 'struct' || type.fields.length !== 2) return false
  const [start, end] = type.fields as unknown as [Field, Field]
  return start.name === 'start' && end.name === 'end' && isTime(start.type) && isTime(end.type) && !start.nullable && !end.nullable
}
function isTime(type: DataType): boolean {
  return type === 'timestamp' || type === 'timestamp_ntz'
}
function partsSql(type: DataType, sql: string): string[] {
  return isWindow(type) ? [fieldSql(sql, 'start'), fieldSql(sql, 'end')] : [sql]
}
/** When a row is late: its time, or the end of its window. */
function timeSql(type: DataType, sql: string): string {
  return typeof type !== 'string' && type.kind === 'struct' ? fieldSql(sql, 'end') : sql
}

function freeName(wanted: string, taken: Set<string>): string {
  let name = wanted
  for (let n = 2; taken.has(name); n++) name = `${wanted}.${n}`
  taken.add(name)
  return name
}

/** What is kept of a side, and by which time its rows go. */
function stateOf(plan: Join, side: JoinSide, stored: StoredColumns, timeKey: number | undefined, isOuter: boolean) {
  const keys = stored.keys.flatMap((key) => key.parts)
  const columns = stored.values.flatMap((index) => stored.columns.get(index)!.parts)
  const names = new Set([...keys, ...columns].map(({ name }) => name))
  const values: StateValue[] = columns.map((column) => ({ ...column, merge: 'replace' }))
  if (isOuter) values.push({ name: freeName('matched', names), type: 'boolean', nullable: false, merge: 'replace' })
  const bound = timeKey === undefined ? rangeBound(plan, side) : undefined
  const key = timeKey === undefined ? undefined : stored.keys[timeKey]!
  const at = key ? key.at + key.parts.length - 1 : bound && stored.columns.get(bound.column)!.at
  const state: StateSchema = {
    keys,
    values,
    eventTime: at === undefined ? null : at < keys.length ? { key: at } : { value: at - keys.length },
    rowsPerKey: 'many',
  }
  return { state, evictionOffsetMs: key ? 0 : (bound?.offsetMs ?? null) }
}

interface SideSql {
  readonly cell: (index: number) => string
  readonly keys: readonly Expression[]
  readonly late: string | null
  readonly fails: string | null
  readonly numbered: boolean
}

function sideStep(stored: StoredColumns, state: StateSchema, { cell, keys, late, fails, numbered }: SideSql) {
  const kept = [
    ...keys.flatMap((key) => partsSql(key.type, expressionSql(key, { column: cell }))),
    ...stored.values.flatMap((index) =>
      stored.columns
        .get(index)!
        .parts.map((_, i, parts) => (parts.length === 1 ? cell(index) : fieldSql(cell(index), i === 0 ? 'start' : 'end'))),
    ),
  ]
  const hasFlag = late !== null || fails !== null
  const flag = `CAST(CASE ${late === null ? '' : `WHEN ${late} THEN 0 `}${fails === null ? '' : `WHEN NOT coalesce(${fails}, false) THEN 1 `}ELSE 2 END AS TINYINT)`
  const list = [...kept, ...(numbered ? ['CAST(row_number() OVER () - 1 AS INTEGER)'] : []), ...(hasFlag ? [flag] : [])]
  const flagField: Field = { name: 'flag', type: 'byte', nullable: false }
  const width = kept.length
  const fields = [...state.keys, ...state.values].map(({ name, type, nullable }): Field => ({ name, type, nullable }))
  const isOuter = fields.length > width
  const keyCells = state.keys.map(({ type }, i) => ({ sql: `t0.c${i}`, type }))
  const storedList = [
    `${keyIdSql(keyCells)} AS key_id`,
    ...kept.map((_, i) => `t0.c${i} AS v${i}`),
    ...(isOuter ? ['false AS matched'] : []),
    ...(hasFlag ? [`t0.c${list.length - 1} AS flag`] : []),
  ]
  return {
    rowsSql: `SELECT ${list.map((sql, i) => `${sql} AS c${i}`).join(', ')} FROM ⟦0⟧ AS t0`,
    rowsSchema: new Schema([...fields.slice(0, width), ...(numbered ? [numberField] : []), ...(hasFlag ? [flagField] : [])]),
    storedSql: `SELECT ${storedList.join(', ')} FROM ⟦0⟧ AS t0`,
    storedSchema: new Schema([...fields, ...(hasFlag ? [flagField] : [])]),
    columns: width,
    hasFlag,
  }
}

/** Rows of one side with nulls for the other. */
function unmatchedSql(values: readonly (readonly string[])[]): string {
  return `SELECT ${listOf(values.flat())} FROM ⟦0⟧ AS t0`
}
function nulls({ shown }: PlannedSide): string[] {
  return shown.map(({ type }) => literalSql(null, type))
}
function listOf(list: readonly string[]): string {
  return list.map((sql, i) => `${sql} AS c${i}`).join(', ')
}

function outputColumn(
  plan: Join,
  { from, left: l, right: r }: JoinColumn,
  at: number,
  cells: readonly string[],
  left: PlannedSide,
  right: PlannedSide,
): SelectColumn {
  const leftCell = () => cells[left.shownColumns.indexOf(l)]!
  const rightCell = () => cells[left.shownColumns.length + right.shownColumns.indexOf(r)]!
  if (from !== 'both') return { sql: from === 'left' ? leftCell() : rightCell(), plain: true }
  const of = (sql: string, side: JoinSide, index: number) =>
    castSql(sql, plan[side].schema.fields[index]!.type, plan.schema.fields[at]!.type, 'ansi')
  return { sql: `coalesce(${of(leftCell(), 'left', l)}, ${of(rightCell(), 'right', r)})`, plain: false }
}
