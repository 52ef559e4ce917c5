import { textOf } from '../base/arguments.ts'
import { InvalidQueryError } from '../base/errors.ts'
import type { Schema } from '../data/schema.ts'
import { unresolvedColumn } from '../plan/analysis-errors.ts'
import type { UnresolvedExpression } from '../plan/expression.ts'
import { unresolvedText } from '../plan/resolve.ts'
import { quoteName } from '../plan/schema-text.ts'
import { literalOf } from './literal.ts'
import { type TypeToken, typeOf } from './types.ts'
import { overWindow } from './window-spec.ts'

type Args = readonly unknown[]

/**
 * A column at run time: an expression that the analyser has not seen yet. One class stands behind all interfaces of column-types.ts.
 * A property that is no method reads a field of a struct: `geo.lat` is `geo.getField('lat')`.
 */
export class Column {
  readonly #expression: UnresolvedExpression
  constructor(expression: UnresolvedExpression) {
    this.#expression = expression
  }
  static expressionOf(column: Column): UnresolvedExpression {
    return column.#expression
  }
  /** What util.inspect and templates show. */
  toString(): string {
    return `Column<${unresolvedText(this.#expression)}>`
  }
  get [Symbol.toStringTag](): string {
    return `Column<${unresolvedText(this.#expression)}>`
  }

  eq(other: unknown) {
    return call('==', this, other)
  }
  neq(other: unknown) {
    return call('!=', this, other)
  }
  eqNullSafe(other: unknown) {
    return call('<=>', this, other)
  }
  lt(other: unknown) {
    return call('<', this, other)
  }
  leq(other: unknown) {
    return call('<=', this, other)
  }
  gt(other: unknown) {
    return call('>', this, other)
  }
  geq(other: unknown) {
    return call('>=', this, other)
  }
  between(lower: unknown, upper: unknown) {
    return call('and', this.geq(lower), this.leq(upper))
  }
  isin(...values: unknown[]) {
    return call('in', this, ...values)
  }
  isNull() {
    return call('isnull', this)
  }
  isNotNull() {
    return call('isnotnull', this)
  }

  add(other: unknown) {
    return call('+', this, other)
  }
  sub(other: unknown) {
    return call('-', this, other)
  }
  mul(other: unknown) {
    return call('*', this, other)
  }
  div(other: unknown) {
    return call('/', this, other)
  }
  mod(other: unknown) {
    return call('%', this, other)
  }
  neg() {
    return call('negative', this)
  }
  plus(interval: unknown) {
    return call('+', this, typeof interval === 'string' ? call('interval', interval) : interval)
  }
  minus(interval: unknown) {
    return call('-', this, typeof interval === 'string' ? call('interval', interval) : interval)
  }

  bitwiseAND(other: unknown) {
    return call('&', this, other)
  }
  bitwiseOR(other: unknown) {
    return call('|', this, other)
  }
  bitwiseXOR(other: unknown) {
    return call('^', this, other)
  }
  isNaN() {
    return call('isnan', this)
  }

  and(other: unknown) {
    return call('and', this, other)
  }
  or(other: unknown) {
    return call('or', this, other)
  }
  not() {
    return call('not', this)
  }

  startsWith(prefix: unknown) {
    return call('startswith', this, prefix)
  }
  endsWith(suffix: unknown) {
    return call('endswith', this, suffix)
  }
  startswith(prefix: unknown) {
    return this.startsWith(prefix)
  }
  endswith(suffix: unknown) {
    return this.endsWith(suffix)
  }
  contains(part: unknown) {
    return call('contains', this, part)
  }
  like(pattern: string) {
    return call('like', this, pattern)
  }
  ilike(pattern: string) {
    return call('ilike', this, pattern)
  }
  rlike(pattern: string) {
    return call('rlike', this, pattern)
  }
  substr(start: number, length: number) {
    return call('substring', this, start, length)
  }

  /** An element by index (from 0), or a map's value by key. */
  getItem(key: unknown) {
    return call('get_item', this, key)
  }
  getField(name: string) {
    return new Column({ kind: 'field', input: this.#expression, field: name })
  }
  /** The struct with a field set; `a.b` is the field b of its field a. */
  withField(name: string, value: unknown) {
    return call('with_field', this, name, value)
  }
  dropFields(...names: string[]) {
    return names.reduce<Column>((struct, name) => call('drop_field', struct, name), this)
  }

  cast(type: string | TypeToken<unknown>) {
    return this.#cast(type, 'ansi')
  }
  astype(type: string | TypeToken<unknown>) {
    return this.cast(type)
  }
  try_cast(type: string | TypeToken<unknown>) {
    return this.#cast(type, 'try')
  }
  /** Several names are for the columns of a generator. */
  as(name: string, ...more: string[]) {
    for (const each of [name, ...more]) textOf('the name given to as', each, "write as('total')")
    if (more.length > 0) return new Column({ kind: 'multi-alias', input: this.#expression, names: [name, ...more] })
    return new Column({ kind: 'alias', input: this.#expression, name })
  }
  alias(name: string, ...more: string[]) {
    return this.as(name, ...more)
  }

  /** A function over a window of rows. */
  over(window: unknown) {
    return new Column(overWindow(this.#expression, window))
  }
  /** What the function makes of this column: for steps with names of their own. */
  transform(f: (column: Column) => unknown) {
    return new Column(columnExpression('the result of the function of transform', f(this)))
  }

  asc() {
    return this.#sorted(false, true)
  }
  asc_nulls_first() {
    return this.#sorted(false, true)
  }
  asc_nulls_last() {
    return this.#sorted(false, false)
  }
  desc() {
    return this.#sorted(true, false)
  }
  desc_nulls_first() {
    return this.#sorted(true, true)
  }
  desc_nulls_last() {
    return this.#sorted(true, false)
  }

  /** Another branch of `when(…)`. */
  when(condition: unknown, value: unknown) {
    const open = this.#openCase('when')
    return new Column({ ...open, branches: [...open.branches, { condition: expressionOf(condition), value: expressionOf(value) }] })
  }
  /** The value where no branch of `when(…)` fits. */
  otherwise(value: unknown) {
    return new Column({ ...this.#openCase('otherwise'), otherwise: expressionOf(value) })
  }

  #openCase(method: string) {
    const e = this.#expression
    if (e.kind === 'case' && e.otherwise === null) return e
    throw new InvalidQueryError('INVALID_USAGE_OF_WHEN', {
      what: `${method}() was called on ${unresolvedText(e)}`,
      todo: 'call it on when(condition, value), and otherwise() only once and last',
    })
  }
  #cast(type: string | TypeToken<unknown>, mode: 'ansi' | 'try') {
    return new Column({ kind: 'cast', input: this.#expression, type: typeOf(type), mode })
  }
  #sorted(descending: boolean, nullsFirst: boolean) {
    return new Column({ kind: 'sort', input: this.#expression, descending, nullsFirst })
  }
}

// A name that Column does not have falls through the prototype chain to here and reads a struct's field. Names that the language itself asks
// objects for (then, toJSON, and what Object.prototype has) are not fields: those are reached with getField.
const fieldAccess = new Proxy(Object.create(Object.prototype) as object, {
  get(target, name, receiver) {
    if (typeof name === 'symbol' || name in target || name === 'then' || name === 'toJSON' || !(receiver instanceof Column))
      return Reflect.get(target, name, receiver)
    return receiver.getField(name)
  },
})
Object.setPrototypeOf(Column.prototype, fieldAccess)

/** The expression of a column, or a literal of a JavaScript value. */
export function expressionOf(value: unknown): UnresolvedExpression {
  return value instanceof Column ? Column.expressionOf(value) : literalOf(value)
}

/** A call of a function by its name in the function table. */
export function call(name: string, ...args: Args): Column {
  return new Column({ kind: 'call', name, args: args.map(expressionOf) })
}

/** The columns of a schema by name, as callbacks get them: `({ price }) => price.gt(1)`. An unknown name throws, with the nearest ones. */
export function columnsOf(schema: Schema, side?: 'left' | 'right'): Record<string, Column> {
  const columns: Record<string, Column> = Object.create(null)
  for (const { name } of schema.fields)
    columns[name] = new Column({ kind: 'attribute', name: quoteName(name), ...(side === undefined ? {} : { side }) })
  return new Proxy(columns, {
    get(target, name, receiver) {
      if (typeof name === 'symbol' || Object.hasOwn(target, name)) return Reflect.get(target, name, receiver)
      const other = schema.names.find((candidate) => candidate.toLowerCase() === name.toLowerCase())
      if (other !== undefined) return target[other]
      if (name === 'then' || name === 'toJSON' || name in Object.prototype) return undefined
      throw unresolvedColumn(name, schema.fields)
    },
  })
}

/** The columns that a callback gave, by name: `({ price }) => ({ cents: price.mul(100) })`. */
export function namedExpressions(method: string, given: unknown): { name: string; expression: UnresolvedExpression }[] {
  if (typeof given !== 'object' || given === null || given instanceof Column || Array.isArray(given)) {
    throw new InvalidQueryError('INVALID_COLUMNS', {
      what: `the function given to ${method} returned ${describe(given)}`,
      todo: 'return an object with a column for each name: c => ({ name: c.x })',
    })
  }
  return Object.entries(given).map(([name, value]) => ({ name, expression: columnExpression(`${name} in ${method}`, value) }))
}

/** The expression of a value that must be a column. */
export function columnExpression(where: string, value: unknown): UnresolvedExpression {
  if (value instanceof Column) return Column.expressionOf(value)
  throw new InvalidQueryError('NOT_A_COLUMN', {
    what: `${where} is ${describe(value)}, not a column`,
    todo: 'make a constant a column with lit(…), and a name with col(…)',
  })
}

function describe(value: unknown): string {
  if (value instanceof Column) return 'a single column'
  if (value === null || value === undefined) return String(value)
  return typeof value === 'string' ? JSON.stringify(value) : `a ${Array.isArray(value) ? 'list' : typeof value}`
}

/** What a name in `select` and `col` stands for: a column, or with `*` and `a.*` all columns of the rows, of the relation a or of the struct a. */
export function attributeOrStar(name: string): UnresolvedExpression {
  if (name === '*') return { kind: 'star' }
  return name.endsWith('.*') ? { kind: 'star', of: name.slice(0, -2) } : { kind: 'attribute', name }
}
