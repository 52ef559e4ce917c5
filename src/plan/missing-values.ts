/** fillna, dropna and replace: null and NaN both count as missing, as in Spark. */
import { InvalidQueryError } from '../base/errors.ts'
import { type DataType, type Field, typeText } from '../data/types.ts'
import { unresolvedColumn } from './analysis-errors.ts'
import { filterBy } from './analyze.ts'
import { castTo, isNumeric } from './coercion.ts'
import type { Expression, Literal } from './expression.ts'
import { conjunction } from './expression-tree.ts'
import { literal, resolveCall } from './functions.ts'
import type { LogicalPlan, Project } from './logical-plan.ts'
import { namedColumn, projectNamed } from './named-columns.ts'
import { columnRef, sameName } from './resolve.ts'

type Family = 'number' | 'text' | 'boolean'
function familyOf(type: DataType): Family | undefined {
  if (isNumeric(type)) return 'number'
  return type === 'string' ? 'text' : type === 'boolean' ? 'boolean' : undefined
}

/** A value in place of what is missing: in the columns of its own kind (numbers, text, booleans), among `names` if they are given. */
export function fillMissing(input: LogicalPlan, value: Literal, names: readonly string[] | null): Project {
  const family = familyOf(value.type)
  if (family === undefined || value.value === null) throw wrongValue('fillna', value)
  const chosen = indexesOf(input, names).filter((i) => familyOf(input.schema.fields[i]!.type) === family)
  return mapColumns(input, (_, i) => (chosen.includes(i) ? value : undefined), filled)
}

/** A value of its own for each named column, cast to the column's type. */
export function fillMissingBy(input: LogicalPlan, values: ReadonlyMap<string, Literal>): Project {
  const byIndex = new Map<number, Literal>()
  for (const [name, value] of values) {
    if (familyOf(value.type) === undefined || value.value === null) throw wrongValue('fillna', value)
    for (const index of indexesOf(input, [name])) byIndex.set(index, value)
  }
  return mapColumns(input, (_, i) => byIndex.get(i), filled)
}

function wrongValue(method: string, value: Literal): InvalidQueryError {
  return new InvalidQueryError('INVALID_FILL_VALUE', {
    what: `${method} was given ${value.value === null ? 'null' : `a value of type ${typeText(value.type)}`}`,
    todo: 'give a number, a text or a boolean; for other types use withColumn and coalesce',
  })
}

function filled(column: Expression, value: Literal): Expression {
  return resolveCall('coalesce', [notNaN(column), castTo(value, column.type)])
}
/** The value, or null where it is NaN. */
function notNaN(column: Expression): Expression {
  if (!isFloating(column.type)) return column
  const { type } = column
  return {
    kind: 'case',
    branches: [{ condition: resolveCall('isnan', [column]), value: literal(null, type) }],
    otherwise: column,
    type,
    nullable: true,
  }
}
function isFloating(type: DataType): boolean {
  return type === 'double' || type === 'float'
}

/** Rows that have at least `thresh` values that are not missing; how 'any' asks for all of them, 'all' for one. */
export function dropMissing(input: LogicalPlan, how: 'any' | 'all', thresh: number | null, names: readonly string[] | null): LogicalPlan {
  if (how !== 'any' && how !== 'all')
    throw new InvalidQueryError('VALUE_NOT_ANY_OR_ALL', {
      what: `dropna was told how: ${JSON.stringify(how)}`,
      todo: "use 'any' (a row goes if any value is missing) or 'all' (if all are)",
    })
  if (thresh !== null && !Number.isInteger(thresh))
    throw new InvalidQueryError('INVALID_PARAMETER_VALUE.THRESH', {
      what: `dropna was given the threshold ${thresh}`,
      todo: 'give the number of values that a row must have',
    })
  const present = indexesOf(input, names).map((i) => isPresent(columnRef(input.schema.fields[i]!, i)))
  if (present.length === 0) return input
  return filterBy(input, thresh !== null ? atLeast(present, thresh) : how === 'any' ? conjunction(present) : disjunction(present))
}

function isPresent(column: Expression): Expression {
  return resolveCall('isnotnull', [notNaN(column)])
}
function disjunction(parts: readonly Expression[]): Expression {
  return parts.reduce((a, b) => resolveCall('or', [a, b]))
}
function atLeast(present: readonly Expression[], count: number): Expression {
  const ones = present.map((e) => resolveCall('if', [e, literal(1, 'int'), literal(0, 'int')]))
  return resolveCall('>=', [ones.reduce((a, b) => resolveCall('+', [a, b])), literal(count, 'int')])
}

/** Values in place of others, in the columns of their kind (numbers, text, booleans), among `names` if they are given. */
export function replaceValues(
  input: LogicalPlan,
  pairs: readonly (readonly [from: Literal, to: Literal])[],
  names: readonly string[] | null,
): LogicalPlan {
  if (pairs.length === 0) return input
  const families = new Set(pairs.flat().flatMap((value) => (value.value === null ? [] : [familyOf(value.type)])))
  const [family] = families
  if (families.size !== 1 || family === undefined || pairs.some(([from]) => from.value === null)) {
    throw new InvalidQueryError('MIXED_TYPE_REPLACEMENT', {
      what: `mixed type replacements are not supported: ${pairs.map(([from, to]) => `${typeText(from.type)} by ${typeText(to.type)}`).join(', ')}`,
      todo: 'replace numbers by numbers, text by text and booleans by booleans, each in a call of its own; null may only stand on the right (fillna replaces nulls)',
    })
  }
  const chosen = indexesOf(input, names).filter((i) => familyOf(input.schema.fields[i]!.type) === family)
  return mapColumns(
    input,
    (_, i) => (chosen.includes(i) ? pairs : undefined),
    (column) => replaced(column, pairs),
  )
}

function replaced(column: Expression, pairs: readonly (readonly [Literal, Literal])[]): Expression {
  const { type } = column
  const branches = pairs.map(([from, to]) => ({
    condition: resolveCall('==', [column, castTo(from, type, 'try')]),
    value: to.value === null ? literal(null, type) : castTo(to, type),
  }))
  return { kind: 'case', branches, otherwise: column, type, nullable: column.nullable || pairs.some(([, to]) => to.value === null) }
}

/** The numbers of these columns, or of all. UNRESOLVED_COLUMN. */
function indexesOf(input: LogicalPlan, names: readonly string[] | null): number[] {
  const { fields } = input.schema
  if (names === null) return [...fields.keys()]
  return names.flatMap((name) => {
    const found = fields.flatMap((field, i) => (sameName(field.name, name) ? [i] : []))
    if (found.length === 0) throw unresolvedColumn(name, fields)
    return found
  })
}

function mapColumns<V>(
  input: LogicalPlan,
  valueFor: (field: Field, index: number) => V | undefined,
  change: (column: Expression, value: V) => Expression,
): Project {
  return projectNamed(
    input,
    input.schema.fields.map((field, i) => {
      const value = valueFor(field, i)
      return value === undefined ? namedColumn(field, i) : { name: field.name, expression: change(columnRef(field, i), value) }
    }),
  )
}
