/** Session windows: rows that are equal in the other keys belong together where their sessions, from each row's time to its gap later, overlap or touch. */
import { assert } from '../base/errors.ts'
import type { GroupKey, RowSession } from './group-sql.ts'
import { type Names, nest, type Select, type SelectColumn } from './select-sql.ts'

/** The keys besides the session, and the session. */
export function splitSession(keys: readonly GroupKey[]): {
  readonly others: readonly GroupKey[]
  readonly session: GroupKey & { readonly session: RowSession }
} {
  const session = keys.find((key) => key.session !== undefined)
  assert(session?.session, 'one of the keys is a session window')
  return { others: keys.filter((key) => key !== session), session: { ...session, session: session.session } }
}

/** The keys' columns in the plan's order, from cells that hold those of the others first and the session's start and end behind them. */
export function sessionKeyColumns(keys: readonly GroupKey[], cells: readonly string[]): string[] {
  const { others } = splitSession(keys)
  const widths = others.map((key) => key.parts.length)
  const end = widths.reduce((sum, width) => sum + width, 0)
  let at = 0
  return keys.map((key) => {
    if (key.session) return key.value(cells.slice(end, end + 2))
    at += key.parts.length
    return key.value(cells.slice(at - key.parts.length, at))
  })
}

export interface NumberedSessions {
  /** The rows, with their columns where they were. */
  readonly select: Select
  /** What the other keys group by. */
  readonly grouped: readonly string[]
  /** The number of the row's session among those of its keys. */
  readonly number: string
  /** The bounds of the row's own. */
  readonly start: string
  readonly end: string
}

/** All rows at once, each with the number of its session: for batches. A session begins with a row that comes after the end of all before it. */
export function numberSessions(
  select: Select,
  others: readonly GroupKey[],
  { start, end, where }: RowSession,
  names: Names,
): NumberedSessions {
  const grouped = others.flatMap((key) => key.grouped)
  const width = select.columns.length
  const computed = [...grouped, start, end].map((sql): SelectColumn => ({ sql, plain: false }))
  const rows = nest({ ...select, where: [...select.where, ...where], columns: [...select.columns, ...computed] }, names)
  const at = (from: Select, index: number) => from.columns[width + index]!.sql
  const partition = (from: Select) => (grouped.length === 0 ? '' : `PARTITION BY ${grouped.map((_, i) => at(from, i)).join(', ')} `)
  const add = (from: Select, sql: string) => nest({ ...from, columns: [...from.columns, { sql, plain: false }] }, names)
  const [s, e, fresh] = [grouped.length, grouped.length + 1, grouped.length + 2]
  const before = `max(${at(rows, e)}) OVER (${partition(rows)}ORDER BY ${at(rows, s)} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)`
  const marked = add(rows, `CASE WHEN ${at(rows, s)} <= ${before} THEN 0 ELSE 1 END`)
  // rows of one time are of one session, whichever of them comes first: the frame of the sum holds all of them
  const numbered = add(marked, `sum(${at(marked, fresh)}) OVER (${partition(marked)}ORDER BY ${at(marked, s)})`)
  return {
    select: numbered,
    grouped: grouped.map((_, i) => at(numbered, i)),
    number: at(numbered, fresh + 1),
    start: at(numbered, s),
    end: at(numbered, e),
  }
}

/**
 * What a stream groups a batch's rows by besides the other keys: rows of one gap whose times fall into the same stretch as long as it touch each other, so that each group is
 * a piece of one session. The engine puts the pieces together.
 */
export function pieceOf({ start, gapUs, isFixed }: RowSession): readonly string[] {
  const us = `epoch_us(${start})`
  // SQL's division cuts off towards zero: without the step the stretch around 1970 would be twice as long
  const stretch = `(${us} // ${gapUs} - CASE WHEN ${us} < 0 THEN 1 ELSE 0 END)`
  return isFixed ? [stretch] : [stretch, gapUs]
}
