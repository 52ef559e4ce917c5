/** Fields of structs, taken by name. */
import { InvalidQueryError } from '../base/errors.ts'
import { fieldNotFound, quoteType, typeMismatch } from './analysis-errors.ts'
import type { Expression } from './expression.ts'
import { expressionText, someExpression } from './expression-tree.ts'
import { type LambdaArgument, literal, resolveCall } from './functions.ts'
import { sameName } from './resolve.ts'

/** `input.field`: a struct's field, the fields of an array's structs, or a map's value under that key. */
export function fieldOf(input: Expression, field: string): Expression {
  const { type } = input
  if (typeof type !== 'string' && type.kind === 'array') {
    const hasFields = typeof type.element !== 'string' && type.element.kind === 'struct'
    if (hasFields) return resolveCall('transform', [input, fieldOfElement(field, levelAbove(input))])
    // of other elements Spark takes a name for a place
    throw typeMismatch(
      'UNEXPECTED_INPUT_TYPE',
      `can't take the field \`${field}\` from "${expressionText(input)}": its elements are ${quoteType(type.element)}, and no structs`,
      'give the place of an element, from 0 on: x[0]',
    )
  }
  if (typeof type !== 'string' && type.kind === 'map' && type.key === 'string')
    return resolveCall('element_at', [input, literal(field, 'string')])
  if (typeof type === 'string' || type.kind !== 'struct') {
    throw new InvalidQueryError('INVALID_EXTRACT_BASE_FIELD_TYPE', {
      what: `can't take the field \`${field}\` from "${expressionText(input)}": it needs a struct, not ${quoteType(type)}`,
      todo: 'check the name: only structs and arrays of structs have fields, and only maps with string keys can be asked by name',
    })
  }
  const found = type.fields.filter((candidate) => sameName(candidate.name, field))
  if (found.length === 0) throw fieldNotFound(field, type.fields)
  if (found.length > 1) {
    throw new InvalidQueryError('AMBIGUOUS_REFERENCE_TO_FIELDS', {
      what: `the field \`${field}\` appears ${found.length} times in "${expressionText(input)}"`,
      todo: 'rename one of them where the struct is made',
    })
  }
  return { kind: 'field', input, field: found[0]!.name, type: found[0]!.type, nullable: input.nullable || found[0]!.nullable }
}

/** `e -> e.field` */
function fieldOfElement(field: string, level: number): LambdaArgument {
  return {
    kind: 'unresolved-lambda',
    paramCount: 1,
    text: `e -> e.${field}`,
    resolve: ([element]) => {
      const param = { type: element!.type, nullable: element!.nullable, name: 'e' }
      const body = fieldOf({ kind: 'variable', level, index: 0, ...param }, field)
      return { kind: 'lambda', level, params: [param], body, type: body.type, nullable: body.nullable }
    },
  }
}
/** A level for a lambda over `e` whose variables are told from those that `e` has. */
function levelAbove(e: Expression): number {
  let level = 1
  someExpression(e, (inner) => {
    if (inner.kind === 'variable') level = Math.max(level, inner.level + 1)
    return false
  })
  return level
}
