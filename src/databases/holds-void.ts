import type { DataType } from '../data/types.ts'

/** Whether a nested type has a part without a type, of which no JSON can be made that says something. */
export function holdsVoid(type: DataType): boolean {
  if (typeof type === 'string') return type === 'void'
  switch (type.kind) {
    case 'array':
      return holdsVoid(type.element)
    case 'map':
      return holdsVoid(type.key) || holdsVoid(type.value)
    case 'struct':
      return type.fields.some((field) => holdsVoid(field.type))
    default:
      return false
  }
}
