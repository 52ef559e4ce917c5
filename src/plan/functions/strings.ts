/** Text and binary. */
import { anyNullable, argumentAs, call, toCommonType } from '../signatures.ts'
import { arrayOf, type FunctionRow, first, int, type Resolve, scalar, special, text } from './row.ts'

const resolveConcat: Resolve = (given) => {
  const arrays = given.some((arg) => typeof arg.type !== 'string' && arg.type.kind === 'array')
  if (arrays) {
    const { type, args } = toCommonType('concat', given)
    return call('concat', args, type, anyNullable(args))
  }
  const binary = given.length > 0 && given.every((arg) => arg.type === 'binary')
  const args = given.map((arg, i) => (binary ? arg : argumentAs('concat', arg, i, 'string')))
  return call('concat', args, binary ? 'binary' : 'string', anyNullable(args))
}
const resolveConcatWs: Resolve = (given) => {
  const args = given.map((arg, i) => {
    const strings = i > 0 && typeof arg.type !== 'string' && arg.type.kind === 'array' && arg.type.element === 'string'
    return strings ? arg : argumentAs('concat_ws', arg, i, 'string')
  })
  return call('concat_ws', args, 'string', args[0]!.nullable)
}
const resolveReverse: Resolve = ([given]) => {
  const array = typeof given!.type !== 'string' && given!.type.kind === 'array'
  const arg = array ? given! : argumentAs('reverse', given!, 0, 'string')
  return call('reverse', [arg], arg.type, arg.nullable)
}

export const strings: readonly FunctionRow[] = [
  scalar('startswith', { takes: ['string', 'string'], gives: 'boolean' }),
  scalar('endswith', { takes: ['string', 'string'], gives: 'boolean' }),
  scalar('contains', { takes: ['string', 'string'], gives: 'boolean' }),
  scalar('upper', { takes: ['string'], gives: 'string', aliases: ['ucase'] }),
  scalar('lower', { takes: ['string'], gives: 'string', aliases: ['lcase'] }),
  scalar('length', { takes: ['text'], gives: 'int', aliases: ['char_length', 'character_length', 'len'] }),
  scalar('trim', { takes: ['string', 'string'], min: 1, gives: 'string', aliases: ['btrim'] }),
  scalar('ltrim', { takes: ['string', 'string'], min: 1, gives: 'string' }),
  scalar('rtrim', { takes: ['string', 'string'], min: 1, gives: 'string' }),
  special('concat', [0, Infinity], resolveConcat),
  special('concat_ws', [1, Infinity], resolveConcatWs),
  scalar('substring', { takes: ['text', 'int', 'int'], min: 2, gives: first, aliases: ['substr'] }),
  scalar('replace', { takes: ['string', 'string', 'string'], min: 2, defaults: [undefined, undefined, text('')], gives: 'string' }),
  scalar('split', {
    takes: ['string', 'string', 'int'],
    min: 2,
    defaults: [undefined, undefined, int(-1)],
    gives: arrayOf('string', false),
  }),
  scalar('lpad', { takes: ['string', 'int', 'string'], min: 2, defaults: [undefined, undefined, text(' ')], gives: 'string' }),
  scalar('rpad', { takes: ['string', 'int', 'string'], min: 2, defaults: [undefined, undefined, text(' ')], gives: 'string' }),
  scalar('instr', { takes: ['string', 'string'], gives: 'int' }),
  special('reverse', [1, 1], resolveReverse),
  scalar('repeat', { takes: ['string', 'int'], gives: 'string' }),
]
