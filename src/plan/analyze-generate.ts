import { InvalidQueryError } from '../base/errors.ts'
import { Schema } from '../data/schema.ts'
import type { Field } from '../data/types.ts'
import type { Expression, NamedExpression, UnresolvedExpression } from './expression.ts'
import { type GeneratorCall, isGenerator, nestedGenerator, resolveGenerator } from './generators.ts'
import type { Generate, LogicalPlan } from './logical-plan.ts'
import { checkDistinctNames, namedColumn } from './named-columns.ts'
import { resolveExpression, unresolvedText } from './resolve.ts'

interface GenerateOptions {
  /** A row of nulls for an input row that gives none. */
  readonly outer?: boolean
  /** What the generated columns are called; as the generator calls them unless said. */
  readonly names?: readonly string[]
  /** The name of the generated columns' relation, as LATERAL VIEW gives it. */
  readonly qualifier?: string
}

/** Each input row once for every row that the generator makes of it: the input's columns, then the generator's. */
export function generate(input: LogicalPlan, call: GeneratorCall, options: GenerateOptions = {}): Generate {
  const args = call.args.map((arg) => resolveArgument(call, arg, input.schema.fields))
  const { name, outer, fields, args: cast } = resolveGenerator(call.name, args, options.outer)
  const named = renamed(call, fields, options.names)
  const generated = named.map((field): Field => (options.qualifier === undefined ? field : { ...field, qualifier: options.qualifier }))
  const schema = new Schema([...input.schema.fields, ...generated])
  return { kind: 'generate', input, generator: name, args: cast, outer, schema }
}

function resolveArgument(call: GeneratorCall, arg: UnresolvedExpression, fields: readonly Field[]): Expression {
  if (isGenerator(arg)) throw nestedGenerator(call)
  return resolveExpression(arg, { fields })
}

function renamed(call: GeneratorCall, fields: readonly Field[], names: readonly string[] | undefined): readonly Field[] {
  if (names === undefined) return fields
  if (names.length !== fields.length) {
    throw new InvalidQueryError('UDTF_ALIAS_NUMBER_MISMATCH', {
      what: `${unresolvedText(call)} gives ${fields.length} columns, and ${names.length} names are given for them: ${names.join(', ')}`,
      todo: `give ${fields.length} names, or none: then they are ${fields.map((field) => field.name).join(', ')}`,
    })
  }
  checkDistinctNames(names)
  return fields.map((field, i) => ({ ...field, name: names[i]! }))
}

/** A select list with its generator, if it has one, made an input: the other items stay as they are. */
export interface WithGenerator {
  readonly input: LogicalPlan
  /** The columns that an item with the generator stands for; undefined for any other item. */
  readonly generated: (item: UnresolvedExpression) => NamedExpression[] | undefined
}

/** Several generators give every combination of their rows. */
export function extractGenerator(input: LogicalPlan, items: readonly UnresolvedExpression[]): WithGenerator {
  const columns = new Map<UnresolvedExpression, NamedExpression[]>()
  let current = input
  for (const item of items) {
    const call = generatorOf(item)
    if (!call) continue
    const names = item.kind === 'alias' ? [item.name] : item.kind === 'multi-alias' ? item.names : undefined
    const made: Generate = generate(current, call, names === undefined ? {} : { names })
    const count = current.schema.fields.length
    columns.set(
      item,
      made.schema.fields.slice(count).map((field, i) => namedColumn(field, count + i)),
    )
    current = made
  }
  return { input: current, generated: (item) => columns.get(item) }
}

/** The generator that an item is, under its names. */
function generatorOf(item: UnresolvedExpression): GeneratorCall | undefined {
  const inner = item.kind === 'alias' || item.kind === 'multi-alias' ? item.input : item
  return isGenerator(inner) ? inner : undefined
}
