/** Walking, comparing and printing analysed expressions. */
import { Decimal } from '../data/decimal.ts'
import { intervalValueText, isInterval } from '../data/intervals.ts'
import { type DataType, sameType, typeText } from '../data/types.ts'
import type { ColumnRef, Expression, LiteralValue } from './expression.ts'
import { intervalText } from './intervals.ts'

export function childrenOf(e: Expression): readonly Expression[] {
  switch (e.kind) {
    case 'literal':
    case 'column':
    case 'variable':
      return []
    case 'lambda':
      return [e.body]
    case 'call':
    case 'user-call':
      return e.args
    case 'aggregate':
      return e.filter ? [...e.args, e.filter] : e.args
    case 'cast':
    case 'field':
      return [e.input]
    case 'window':
      return e.gap === undefined ? [e.time] : [e.time, e.gap]
    case 'case':
      return [...e.branches.flatMap(({ condition, value }) => [condition, value]), ...(e.otherwise ? [e.otherwise] : [])]
  }
}

/** The expression with every child replaced by `f(child)`. Types stay as they are: f must keep them. */
export function mapChildren(e: Expression, f: (child: Expression) => Expression): Expression {
  switch (e.kind) {
    case 'literal':
    case 'column':
    case 'variable':
      return e
    case 'lambda':
      return { ...e, body: f(e.body) }
    case 'call':
    case 'user-call':
      return { ...e, args: e.args.map(f) }
    case 'aggregate':
      return { ...e, args: e.args.map(f), ...(e.filter && { filter: f(e.filter) }) }
    case 'cast':
    case 'field':
      return { ...e, input: f(e.input) }
    case 'window':
      return e.gap === undefined ? { ...e, time: f(e.time) } : { ...e, time: f(e.time), gap: f(e.gap) }
    case 'case':
      return {
        ...e,
        branches: e.branches.map(({ condition, value }) => ({ condition: f(condition), value: f(value) })),
        otherwise: e.otherwise && f(e.otherwise),
      }
  }
}

/** Whether the expression or anything inside it fits. */
export function someExpression(e: Expression, fits: (e: Expression) => boolean): boolean {
  return fits(e) || childrenOf(e).some((child) => someExpression(child, fits))
}

/** The numbers of the input columns that are read. */
export function columnsRead(e: Expression, into = new Set<number>()): Set<number> {
  if (e.kind === 'column') into.add(e.index)
  for (const child of childrenOf(e)) columnsRead(child, into)
  return into
}

/** Whether the same row always gives the same value. current_timestamp does not: it changes from batch to batch. */
export function isDeterministic(e: Expression): boolean {
  return !someExpression(e, (x) => (x.kind === 'call' && !x.deterministic) || (x.kind === 'user-call' && !x.function.deterministic))
}

export function hasAggregate(e: Expression): boolean {
  return someExpression(e, (x) => x.kind === 'aggregate')
}

/** Column numbers moved by `offset`. */
export function shiftColumns(e: Expression, offset: number): Expression {
  return e.kind === 'column' ? { ...e, index: e.index + offset } : mapChildren(e, (child) => shiftColumns(child, offset))
}

/** The expression with another one in the place of each column. */
export function replaceColumns(e: Expression, columnOf: (column: ColumnRef) => Expression): Expression {
  return e.kind === 'column' ? columnOf(e) : mapChildren(e, (child) => replaceColumns(child, columnOf))
}

/** Whether a time or session window stands in the expression. */
export function hasWindow(e: Expression): boolean {
  return someExpression(e, (x) => x.kind === 'window')
}

/** The parts of a condition that all have to hold. */
export function conjuncts(e: Expression): Expression[] {
  return e.kind === 'call' && e.name === 'and' ? e.args.flatMap(conjuncts) : [e]
}
/** One condition out of at least one. */
export function conjunction(parts: readonly Expression[]): Expression {
  return parts.reduce((a, b) => ({
    kind: 'call',
    name: 'and',
    args: [a, b],
    type: 'boolean',
    nullable: a.nullable || b.nullable,
    deterministic: true,
  }))
}

/** Calls that have a value, or null, for any arguments. */
export const safeCalls: ReadonlySet<string> = new Set([
  'and',
  'or',
  'not',
  '==',
  '!=',
  '<=>',
  '<',
  '<=',
  '>',
  '>=',
  'isnull',
  'isnotnull',
  'in',
])

/** Whether two expressions over one input are the same, names of columns aside. */
export function sameExpression(a: Expression, b: Expression): boolean {
  if (a.kind !== b.kind || !sameType(a.type, b.type)) return false
  const as = childrenOf(a)
  const bs = childrenOf(b)
  return sameNode(a, b) && as.length === bs.length && as.every((child, i) => sameExpression(child, bs[i]!))
}

function sameNode(a: Expression, b: Expression): boolean {
  if (a.kind === 'literal' && b.kind === 'literal') return sameValue(a.value, b.value)
  if (a.kind === 'column' && b.kind === 'column') return a.index === b.index
  if (a.kind === 'variable' && b.kind === 'variable') return a.level === b.level && a.index === b.index
  if (a.kind === 'lambda' && b.kind === 'lambda') return a.level === b.level && a.params.length === b.params.length
  if (a.kind === 'call' && b.kind === 'call') return a.name === b.name && a.deterministic && b.deterministic
  if (a.kind === 'user-call' && b.kind === 'user-call') return a.function === b.function && a.function.deterministic
  if (a.kind === 'aggregate' && b.kind === 'aggregate') {
    return a.name === b.name && a.distinct === b.distinct && (a.filter === undefined) === (b.filter === undefined)
  }
  if (a.kind === 'cast' && b.kind === 'cast') return a.mode === b.mode
  if (a.kind === 'field' && b.kind === 'field') return a.field === b.field
  if (a.kind === 'window' && b.kind === 'window') {
    if (a.gap !== undefined || b.gap !== undefined) return a.gap !== undefined && b.gap !== undefined
    return a.durationUs === b.durationUs && a.slideUs === b.slideUs && a.startUs === b.startUs
  }
  if (a.kind === 'case' && b.kind === 'case') return a.branches.length === b.branches.length
  return false
}

function sameValue(a: LiteralValue, b: LiteralValue): boolean {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0
  if (isDecimalValue(a) && isDecimalValue(b)) return a.unscaled === b.unscaled && a.scale === b.scale
  return Object.is(a, b)
}
function isDecimalValue(value: LiteralValue): value is { readonly unscaled: bigint; readonly scale: number } {
  return typeof value === 'object' && value !== null && 'unscaled' in value
}

/** As Spark's explain prints it: `(price > 1.0)`, `CASE WHEN … END`, `sum(price)`. */
export function expressionText(e: Expression): string {
  switch (e.kind) {
    case 'literal':
      return literalText(e.value, e.type)
    case 'column':
    case 'variable':
      return e.name
    case 'lambda':
      return `lambdafunction(${[expressionText(e.body), ...e.params.map((param) => param.name)].join(', ')})`
    case 'field':
      return `${expressionText(e.input)}.${e.field}`
    case 'cast':
      return `${e.mode === 'try' ? 'try_cast' : 'cast'}(${expressionText(e.input)} as ${typeText(e.type)})`
    case 'call':
      return callText(e.name, e.args.map(expressionText))
    case 'user-call':
      return callText(e.function.name, e.args.map(expressionText))
    case 'aggregate':
      return `${e.name}(${e.distinct ? 'DISTINCT ' : ''}${e.args.map(expressionText).join(', ')})${e.filter ? ` FILTER (WHERE ${expressionText(e.filter)})` : ''}`
    case 'case':
      return caseText(
        e.branches.map(({ condition, value }) => [expressionText(condition), expressionText(value)]),
        e.otherwise && expressionText(e.otherwise),
      )
    case 'window':
      if (e.gap !== undefined) return `session_window(${expressionText(e.time)}, ${gapText(e.gap)})`
      return `window(${[expressionText(e.time), ...windowTexts(e.durationUs, e.slideUs, e.startUs)].join(', ')})`
  }
}

function gapText(gap: Expression): string {
  if (gap.kind === 'literal' && typeof gap.value === 'bigint') return intervalText(gap.value)
  return gap.kind === 'call' && (gap.name === 'interval_us' || gap.name === 'interval_number')
    ? expressionText(gap.args[0]!)
    : expressionText(gap)
}
function windowTexts(durationUs: bigint, slideUs: bigint, startUs: bigint): string[] {
  const texts = [intervalText(durationUs)]
  if (slideUs !== durationUs || startUs !== 0n) texts.push(intervalText(slideUs))
  if (startUs !== 0n) texts.push(intervalText(startUs))
  return texts
}

const infix: Readonly<Record<string, string>> = {
  '+': '+',
  '-': '-',
  '*': '*',
  '/': '/',
  '%': '%',
  '==': '=',
  '<=>': '<=>',
  '<': '<',
  '<=': '<=',
  '>': '>',
  '>=': '>=',
  and: 'AND',
  or: 'OR',
  like: 'LIKE',
  ilike: 'ILIKE',
  rlike: 'RLIKE',
}

/** A function or operator over the texts of its arguments. */
export function callText(name: string, args: readonly string[]): string {
  const operator = args.length === 2 ? infix[name] : undefined
  if (operator) return `(${args[0]} ${operator} ${args[1]})`
  if (name === '!=') return `(NOT (${args[0]} = ${args[1]}))`
  if (name === 'not') return `(NOT ${args[0]})`
  if (name === 'negative') return `(- ${args[0]})`
  if (name === 'isnull') return `(${args[0]} IS NULL)`
  if (name === 'isnotnull') return `(${args[0]} IS NOT NULL)`
  if (name === 'in') return `(${args[0]} IN (${args.slice(1).join(', ')}))`
  return `${name}(${args.join(', ')})`
}

export function caseText(branches: readonly (readonly [string, string])[], otherwise: string | null): string {
  return `CASE ${branches.map(([condition, value]) => `WHEN ${condition} THEN ${value} `).join('')}${otherwise === null ? '' : `ELSE ${otherwise} `}END`
}

export function literalText(value: LiteralValue, type: DataType): string {
  if (value === null) return 'NULL'
  if (value instanceof Uint8Array) return `X'${Buffer.from(value).toString('hex').toUpperCase()}'`
  if (isDecimalValue(value)) return new Decimal(value.unscaled, value.scale).toString()
  if (isInterval(type)) return intervalValueText(type, value as bigint | number)
  if (type === 'timestamp' || type === 'timestamp_ntz') return timestampText(BigInt(value as bigint))
  if (type === 'date') return new Date(Number(value) * 86_400_000).toISOString().slice(0, 10)
  return (type === 'double' || type === 'float') && Number.isInteger(value) ? `${value}.0` : String(value)
}

/** `2020-01-31 12:00:00.5`, in UTC, without zeros at the end of the fraction. */
export function timestampText(us: bigint): string {
  const ms = us >= 0n ? us / 1000n : -((-us + 999n) / 1000n)
  const date = new Date(Number(ms))
  if (Number.isNaN(date.getTime())) return `${us} µs`
  const [seconds, millis] = date.toISOString().slice(0, -1).replace('T', ' ').split('.')
  const fraction = `${millis}${String(us - ms * 1000n).padStart(3, '0')}`.replace(/0+$/, '')
  return fraction === '' ? seconds! : `${seconds}.${fraction}`
}
