import type { Condition, ConditionValue } from '../../data/condition.ts'
import type { ReadColumn, TableReader } from './reader.ts'

/**
 * Conditions of a query as the server's own, joined by AND; `places[i]` is where column i of the query stands in the table. What the server compares in a way of its own is left out, as
 * the query looks at every row again: the server must only not leave out a row that the query takes. Undefined where nothing is left.
 */
export function whereOf(conditions: readonly Condition[], places: readonly number[], reader: TableReader): string | undefined {
  const parts = conditions.flatMap((condition) => sqlOf(condition, places, reader) ?? [])
  return parts.length === 0 ? undefined : parts.join(' AND ')
}

function sqlOf(condition: Condition, places: readonly number[], reader: TableReader): string | undefined {
  if (condition.kind === 'and' || condition.kind === 'or') {
    const parts = condition.parts.map((part) => sqlOf(part, places, reader))
    const known = parts.filter((part) => part !== undefined)
    if (known.length === 0 || (condition.kind === 'or' && known.length < parts.length)) return undefined
    return `(${known.join(condition.kind === 'and' ? ' AND ' : ' OR ')})`
  }
  const column = reader.columns[places[condition.column]!]!
  const cell = reader.cell(column)
  switch (condition.kind) {
    case 'null':
      return `${cell} IS ${condition.isNull ? '' : 'NOT '}NULL`
    case 'in': {
      const values = condition.values.map((value) => literalOf(column, value, reader))
      return column.compares !== undefined && values.every((value) => value !== null) ? `${cell} IN (${values.join(', ')})` : undefined
    }
    case 'compare': {
      const { operator } = condition
      const isKnown = column.compares === 'order' || (column.compares === 'equality' && operator === '=')
      const value = isKnown ? literalOf(column, condition.value, reader) : null
      return value === null ? undefined : `${cell} ${operator} ${value}`
    }
  }
}

/** Null where the constant is of another kind than the column, whose type the query may know otherwise. */
function literalOf({ type }: ReadColumn, value: ConditionValue, reader: TableReader): string | null {
  const kind = typeof type !== 'string' || ['byte', 'short', 'int', 'long'].includes(type) ? 'number' : type === 'string' ? 'text' : type
  return kind === value.kind ? reader.literal(value) : null
}
