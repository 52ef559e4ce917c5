import { assert } from '../base/errors.ts'
import type { Expression, SessionWindow, TimeWindow } from '../plan/expression.ts'
import { childrenOf, sameExpression } from '../plan/expression-tree.ts'
import { expressionSql, type SqlScope } from './expression-sql.ts'
import { quoteIdentifier } from './sql-text.ts'

/**
 * A SELECT under construction. Nodes of a plan are folded into one SELECT as long as that means the same, so that the
 * text stays readable and short; what can't be folded becomes a subquery.
 */
export interface Select {
  readonly from: string
  readonly where: readonly string[]
  /** What each column of the relation is, in terms of `from`; undefined for one that nobody above reads. */
  readonly columns: readonly (SelectColumn | undefined)[]
  readonly orderBy: readonly string[]
  readonly limit?: number
}
export interface SelectColumn {
  readonly sql: string
  /** A column as it stands in `from`, which may be named again without being computed again. */
  readonly plain: boolean
}

/** Gives subqueries and inputs their names, t0, t1, … */
export interface Names {
  next(): string
}
export function newNames(): Names {
  let count = 0
  return { next: () => `t${count++}` }
}

/** The columns c0, c1, … of a relation that stands in FROM as `text`; `positions[i]` is where column i of the plan lies in it. */
export function selectFrom(text: string, positions: readonly (number | undefined)[], names: Names): Select {
  const name = names.next()
  return {
    from: `${text} AS ${name}`,
    where: [],
    orderBy: [],
    columns: positions.map((at) => (at === undefined ? undefined : { sql: `${name}.c${at}`, plain: true })),
  }
}

interface NestOptions {
  readonly distinct?: boolean
  /** How many rows are left out at the front. */
  readonly offset?: number
}

/** The whole text. Columns that nobody reads are left out: column i is found at `positions[i]` of the result. */
export function renderSelect(
  select: Select,
  options: NestOptions = {},
): { readonly sql: string; readonly positions: readonly (number | undefined)[] } {
  let count = 0
  const positions = select.columns.map((column) => (column === undefined ? undefined : count++))
  const list = select.columns.filter((column) => column !== undefined).map((column, i) => `${column.sql} AS c${i}`)
  const sql =
    `SELECT ${options.distinct ? 'DISTINCT ' : ''}${list.length === 0 ? '1 AS c0' : list.join(', ')} FROM ${select.from}` +
    (select.where.length === 0 ? '' : ` WHERE ${select.where.join(' AND ')}`) +
    (select.orderBy.length === 0 ? '' : ` ORDER BY ${select.orderBy.join(', ')}`) +
    (select.limit === undefined ? '' : ` LIMIT ${select.limit}`) +
    (options.offset === undefined ? '' : ` OFFSET ${options.offset}`)
  return { sql, positions }
}

/** The same rows out of a subquery, whose columns are all plain. */
export function nest(select: Select, names: Names, options: NestOptions = {}): Select {
  const { sql, positions } = renderSelect(select, options)
  return selectFrom(`(${sql})`, positions, names)
}

/** Whether the SELECT computes, orders and cuts off nothing: it only filters. */
export function isOnlyFilter(select: Select): boolean {
  return select.orderBy.length === 0 && select.limit === undefined && select.columns.every((column) => column === undefined || column.plain)
}
/** Whether the SELECT is nothing but its FROM, and can stand in a join as it is. */
export function isBare(select: Select): boolean {
  return select.where.length === 0 && isOnlyFilter(select)
}
/** The SELECT without the columns that nobody reads. */
export function prune(select: Select, needed: ReadonlySet<number>): Select {
  return { ...select, columns: select.columns.map((column, i) => (needed.has(i) ? column : undefined)) }
}

/** The SELECT with its computed columns in a subquery, if `readers` would compute one of them more than once. */
export function settle(select: Select, readers: readonly Expression[], names: Names): Select {
  const reads = new Map<number, number>()
  const visit = (e: Expression, weight: number) => {
    if (e.kind === 'column') reads.set(e.index, (reads.get(e.index) ?? 0) + weight)
    for (const child of childrenOf(e)) visit(child, e.kind === 'window' ? 2 : weight) // a window reads its time for its value and for its null
  }
  for (const e of readers) visit(e, 1)
  const twice = [...reads].some(([index, count]) => count > 1 && select.columns[index]?.plain === false)
  return twice ? nest(select, names) : select
}

/** The scope in which expressions over the SELECT's columns become SQL. */
export function scopeOf(select: Select): SqlScope {
  return {
    column(index) {
      const column = select.columns[index]
      assert(column, `column ${index} was pruned although it is read`)
      return column.sql
    },
  }
}

/** A column for an expression over the SELECT. */
export function columnOf(e: Expression, scope: SqlScope): SelectColumn {
  const sql = expressionSql(e, scope)
  return { sql, plain: isPlain(sql) }
}
/** Whether the text is a column of FROM as it stands there. */
export function isPlain(sql: string): boolean {
  return /^t\d+\.c\d+$/.test(sql)
}

// Time windows

/** All time windows in the expressions, each once. */
export function windowsIn(expressions: readonly Expression[]): (TimeWindow | SessionWindow)[] {
  const found: (TimeWindow | SessionWindow)[] = []
  const visit = (e: Expression) => {
    if (e.kind === 'window' && !found.some((w) => sameExpression(w, e))) found.push(e)
    childrenOf(e).forEach(visit)
  }
  expressions.forEach(visit)
  return found
}

export interface Windowed {
  readonly select: Select
  /** The number of the row's window, BIGINT: the cheapest thing to group by. */
  readonly indexOf: (window: TimeWindow) => string
  /** The number of the last of the row's windows, which ends after all others. */
  readonly lastOf: (window: TimeWindow) => string
  /** The struct of the row's window. */
  readonly structOf: (window: TimeWindow | SessionWindow) => string
}

/**
 * The rows with their time windows: rows without a time are left out, and a row is there once for each sliding window that it lies in.
 * Windows begin every slide; the one with number n begins at n * slide - origin, and the last that begins at or before t has the number (t + origin) // slide.
 * The others that t lies in are the numbers below it: ceil(duration / slide) candidates, of which the lowest may end before t where duration is no multiple of slide.
 */
export function addWindows(select: Select, windows: readonly (TimeWindow | SessionWindow)[], names: Names): Windowed {
  const numbers = new Map<TimeWindow, string>()
  const lasts = new Map<TimeWindow, string>()
  let { from } = select
  const where = [...select.where]
  const scope = scopeOf(select)
  for (const window of windows) {
    const time = expressionSql(window.time, scope)
    where.push(`${time} IS NOT NULL`) // whatever the schema says: DuckDB drops it where it knows better
    if (window.gap !== undefined) {
      where.push(`${expressionSql(window.gap, scope)} > 0`)
      continue
    }
    const last = `((epoch_us(${time}) + ${originUs(window)}) // ${window.slideUs})`
    lasts.set(window, last)
    if (window.slideUs >= window.durationUs) {
      numbers.set(window, last)
      continue
    }
    const before = names.next()
    from += ` CROSS JOIN range(${(window.durationUs + window.slideUs - 1n) / window.slideUs}) AS ${before}(n)`
    const number = `(${last} - ${before}.n)`
    numbers.set(window, number)
    if (window.durationUs % window.slideUs !== 0n) where.push(`${windowBoundUs(number, window, 'end')} > epoch_us(${time})`)
  }
  const indexOf = (window: TimeWindow) => numberIn(numbers, window)
  const lastOf = (window: TimeWindow) => numberIn(lasts, window)
  const structOf = (window: TimeWindow | SessionWindow) =>
    window.gap === undefined ? windowStruct(indexOf(window), window) : sessionStruct(window, scope)
  return { select: { ...select, from, where }, indexOf, lastOf, structOf }
}

function numberIn(numbers: ReadonlyMap<TimeWindow, string>, window: TimeWindow): string {
  const found = [...numbers].find(([other]) => sameExpression(other, window))
  assert(found, 'a time window was not prepared')
  return found[1]
}

/**
 * What is added to a time so that it is positive: then SQL's division, which cuts off towards zero, rounds down, and one division is all that a row costs.
 * A multiple of the slide near 2^62 µs (less the window's own start): right for every year from -140000 to 140000.
 */
function originUs({ slideUs, startUs }: TimeWindow): bigint {
  return (2n ** 62n / slideUs) * slideUs - startUs
}

/** When the window of that number begins or ends, in microseconds. */
function windowBoundUs(number: string, window: TimeWindow, bound: 'start' | 'end'): string {
  return `(${number} * ${window.slideUs} - ${originUs(window) - (bound === 'end' ? window.durationUs : 0n)})`
}

/** When the window of that number begins or ends, as a TIMESTAMP. */
export function windowBound(number: string, window: TimeWindow, bound: 'start' | 'end'): string {
  return `make_timestamp${windowBoundUs(number, window, bound)}`
}

/** The struct of a window that no row lies in twice: a session. */
export function rowWindow(window: TimeWindow | SessionWindow, scope: SqlScope): string {
  assert(window.gap !== undefined, 'a time window stands beside a session window')
  return sessionStruct(window, scope)
}

/** The struct of a row's own session: from its time to the gap after it. */
function sessionStruct({ time, gap }: SessionWindow, scope: SqlScope): string {
  const start = expressionSql(time, scope)
  return `struct_pack(${quoteIdentifier('start')} := ${start}, ${quoteIdentifier('end')} := make_timestamp(epoch_us(${start}) + ${expressionSql(gap, scope)}))`
}

/** The struct of the window of that number. */
function windowStruct(number: string, window: TimeWindow): string {
  return `struct_pack(${quoteIdentifier('start')} := ${windowBound(number, window, 'start')}, ${quoteIdentifier('end')} := ${windowBound(number, window, 'end')})`
}
