/** `s.withField('a.b', value)` and `s.dropFields('a.b')`: a struct with a field set or left out, null where it is null. */
import type { Field } from '../data/types.ts'
import { fieldNotFound, quoteType, typeMismatch } from './analysis-errors.ts'
import type { Expression } from './expression.ts'
import { expressionText } from './expression-tree.ts'
import { literal } from './functions.ts'
import { call } from './signatures.ts'

const sameName = (a: string, b: string) => a.toLowerCase() === b.toLowerCase()

/** The struct with the field at the end of the path set: in place of one of that name, or behind all others. FIELD_NOT_FOUND on the way. */
export function withField(struct: Expression, [name, ...rest]: readonly string[], value: Expression): Expression {
  const fields = fieldsOf(struct)
  const old = fields.find((field) => sameName(field.name, name!))
  if (rest.length > 0 && old === undefined) throw fieldNotFound(name!, fields)
  const set = rest.length === 0 ? value : withField(fieldOf(struct, old!), rest, value)
  const parts = fields.map((field) =>
    sameName(field.name, name!) ? { name: field.name, value: set } : { name: field.name, value: fieldOf(struct, field) },
  )
  return made(struct, old === undefined ? [...parts, { name: name!, value: set }] : parts)
}

/** The struct without the field; one that it has not is passed over, as in Spark. */
export function dropField(struct: Expression, [name, ...rest]: readonly string[]): Expression {
  const fields = fieldsOf(struct)
  const old = fields.find((field) => sameName(field.name, name!))
  if (old === undefined) {
    if (rest.length === 0) return struct
    throw fieldNotFound(name!, fields)
  }
  const kept = rest.length === 0 ? fields.filter((field) => field !== old) : fields
  if (kept.length === 0)
    throw typeMismatch(
      'CANNOT_DROP_ALL_FIELDS',
      `cannot drop all fields in the struct "${expressionText(struct)}"`,
      'keep one of them, or drop the column',
    )
  return made(
    struct,
    kept.map((field) => ({ name: field.name, value: field === old ? dropField(fieldOf(struct, field), rest) : fieldOf(struct, field) })),
  )
}

function fieldsOf(struct: Expression): readonly Field[] {
  if (typeof struct.type !== 'string' && struct.type.kind === 'struct') return struct.type.fields
  throw typeMismatch(
    'UNEXPECTED_INPUT_TYPE',
    `"${expressionText(struct)}" of type ${quoteType(struct.type)} has no fields: it should be a "STRUCT"`,
    'use it on a struct',
  )
}
function fieldOf(input: Expression, field: Field): Expression {
  return { kind: 'field', input, field: field.name, type: field.type, nullable: input.nullable || field.nullable }
}

function made(struct: Expression, parts: readonly { readonly name: string; readonly value: Expression }[]): Expression {
  const fields = parts.map(({ name, value }): Field => ({ name, type: value.type, nullable: value.nullable }))
  const type = { kind: 'struct', fields } as const
  const args = parts.flatMap(({ name, value }) => [literal(name, 'string'), value])
  const whole = call('named_struct', args, type, false)
  if (!struct.nullable) return whole
  const condition = call('isnull', [struct], 'boolean', false)
  return { kind: 'case', branches: [{ condition, value: literal(null, type) }], otherwise: whole, type, nullable: true }
}
