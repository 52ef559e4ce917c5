/** Bits of whole numbers. */
import type { DataType } from '../../data/types.ts'
import { castTo, commonType, isIntegral } from '../coercion.ts'
import { anyNullable, argumentAs, call } from '../signatures.ts'
import { differentTypes, type FunctionRow, type Resolve, scalar, special } from './row.ts'

function ofTwo(name: string): FunctionRow {
  const resolve: Resolve = ([a, b]) => {
    const type = commonType(a!.type, b!.type)
    if (type === undefined || (type !== 'void' && !isIntegral(type))) throw differentTypes(name, a!, b!)
    const common: DataType = type === 'void' ? 'int' : type
    const args = [castTo(a!, common), castTo(b!, common)]
    return call(name, args, common, anyNullable(args))
  }
  return special(name, [2, 2], resolve)
}
/** Of an int or a long. */
function shift(name: string, operator: string): FunctionRow {
  const resolve: Resolve = ([given, count]) => {
    const arg = given!.type === 'long' ? given! : argumentAs(name, given!, 0, 'int')
    const args = [arg, argumentAs(name, count!, 1, 'int')]
    return call(name, args, arg.type, anyNullable(args))
  }
  return special(name, [2, 2], resolve, [operator])
}
const resolveBitCount: Resolve = ([given]) => {
  const arg = given!.type === 'boolean' ? given! : argumentAs('bit_count', given!, 0, 'integral')
  return call('bit_count', [arg], 'int', arg.nullable)
}

export const bitwise: readonly FunctionRow[] = [
  ofTwo('&'),
  ofTwo('|'),
  ofTwo('^'),
  scalar('~', { takes: ['integral'], gives: (args) => args[0]!.type }),
  special('bit_count', [1, 1], resolveBitCount),
  scalar('getbit', { takes: ['integral', 'int'], gives: 'byte', aliases: ['bit_get'] }),
  shift('shiftleft', '<<'),
  shift('shiftright', '>>'),
  shift('shiftrightunsigned', '>>>'),
]
