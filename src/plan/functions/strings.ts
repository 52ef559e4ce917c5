/** Text and binary. */
import { typeMismatch } from '../analysis-errors.ts'
import { castTo } from '../coercion.ts'
import type { Expression } from '../expression.ts'
import { anyNullable, argumentAs, call, toCommonType } from '../signatures.ts'
import { resolveToChar, toBinary, toNumber } from './formats.ts'
import { compare } from './operators.ts'
import { arrayOf, type FunctionRow, first, int, literal, type Resolve, scalar, special, text } from './row.ts'

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
    const { type } = arg
    if (i === 0 || typeof type === 'string' || type.kind !== 'array') return argumentAs('concat_ws', arg, i, 'string')
    return castTo(arg, arrayOf('string', type.containsNull))
  })
  return call('concat_ws', args, 'string', args[0]!.nullable)
}
const resolveReverse: Resolve = ([given]) => {
  const array = typeof given!.type !== 'string' && given!.type.kind === 'array'
  const arg = array ? given! : argumentAs('reverse', given!, 0, 'string')
  return call('reverse', [arg], arg.type, arg.nullable)
}

/** Both binary, or both text. */
function pair(name: string): FunctionRow {
  return special(name, [2, 2], (given) => {
    const args = given.every((arg) => arg.type === 'binary') ? given : given.map((arg, i) => argumentAs(name, arg, i, 'string'))
    return call(name, args, 'boolean', anyNullable(args))
  })
}
/** Without characters at one end or both; TRIM's own order, the characters first, unless `textFirst`. */
function trimming(name: string, textFirst = false): FunctionRow {
  return special(name, [1, 2], (given) => {
    const args = textFirst || given.length === 1 ? given : [given[1]!, given[0]!]
    const texts = args.map((arg, i) => argumentAs(name, arg, i, 'string'))
    return call(name, texts, 'string', anyNullable(texts))
  })
}
function padding(name: string): FunctionRow {
  return special(name, [2, 3], ([given, length, filler]) => {
    const input = argumentAs(name, given!, 0, 'text')
    const binary = input.type === 'binary' && (filler === undefined || filler.type === 'binary')
    const last = filler ?? (binary ? literal(new Uint8Array(1), 'binary') : text(' '))
    const args = [
      binary ? input : argumentAs(name, input, 0, 'string'),
      argumentAs(name, length!, 1, 'int'),
      binary ? last : argumentAs(name, last, 2, 'string'),
    ]
    return call(name, args, binary ? 'binary' : 'string', anyNullable(args))
  })
}
const substringOf = (args: readonly Expression[]) => call('substring', args, args[0]!.type, anyNullable(args))
const resolveLeft: Resolve = ([given, length]) =>
  substringOf([argumentAs('left', given!, 0, 'text'), int(1), argumentAs('left', length!, 1, 'int')])
const resolveRight: Resolve = ([given, length]) => {
  const input = argumentAs('right', given!, 0, 'text')
  const size = argumentAs('right', length!, 1, 'int')
  return call('right', [input, size], input.type, input.nullable || size.nullable)
}
const resolveOverlay: Resolve = ([given, replacement, position, length = int(-1)]) => {
  const binary = given!.type === 'binary' && replacement!.type === 'binary'
  const wanted = binary ? 'binary' : 'string'
  const args = [given!, replacement!].map((arg, i) => argumentAs('overlay', arg, i, wanted))
  args.push(...[position!, length].map((arg, i) => argumentAs('overlay', arg, i + 2, 'int')))
  return call('overlay', args, wanted, anyNullable(args))
}
const resolveElt: Resolve = ([n, ...values]) => {
  const binary = values.every((value) => value.type === 'binary')
  const args = values.map((value, i) => (binary ? value : argumentAs('elt', value, i + 1, 'string')))
  return call('elt', [argumentAs('elt', n!, 0, 'int'), ...args], binary ? 'binary' : 'string', true)
}
/** With two arguments a charset, with more a choice in which null equals null. */
const resolveDecode: Resolve = (given) => {
  if (given.length === 2) {
    const args = [argumentAs('decode', given[0]!, 0, 'binary'), argumentAs('decode', given[1]!, 1, 'string')]
    return call('decode', args, 'string', anyNullable(args))
  }
  const [subject, ...rest] = given
  const otherwise = rest.length % 2 === 1 ? rest.at(-1)! : null
  const pairs = Math.floor(rest.length / 2)
  const results = [...Array.from({ length: pairs }, (_, i) => rest[2 * i + 1]!), ...(otherwise ? [otherwise] : [])]
  const { type, args } = toCommonType('decode', results)
  return {
    kind: 'case',
    type,
    nullable: true,
    branches: Array.from({ length: pairs }, (_, i) => ({ condition: compare('<=>', subject!, rest[2 * i]!), value: args[i]! })),
    otherwise: otherwise && args.at(-1)!,
  }
}
const resolveHex: Resolve = ([given]) => {
  const arg =
    given!.type === 'binary' || given!.type === 'string' || given!.type === 'long'
      ? given!
      : argumentAs('hex', given!, 0, given!.type === 'void' ? 'string' : 'long')
  return call('hex', [arg], 'string', arg.nullable)
}
const resolveMask: Resolve = ([given, ...more]) => {
  const marks = ['X', 'x', 'n', null].map((mark, i) => more[i] ?? literal(mark, 'string'))
  const args = [given!, ...marks].map((arg, i) => argumentAs('mask', arg, i, 'string'))
  for (const mark of args.slice(1)) {
    if (mark.kind !== 'literal') throw typeMismatch('NON_FOLDABLE_INPUT', 'the characters of mask must be constants', 'give them as text')
    if (typeof mark.value === 'string' && Array.from(mark.value).length !== 1)
      throw typeMismatch('INPUT_SIZE_NOT_ONE', `the length of the mask "${mark.value}" should be 1`, 'give one character')
  }
  return call('mask', args, 'string', args[0]!.nullable)
}
const resolveFormatString: Resolve = ([format, ...values]) =>
  call('format_string', [argumentAs('format_string', format!, 0, 'string'), ...values], 'string', format!.nullable)
const resolveFormatNumber: Resolve = ([given, decimals]) => {
  const number = argumentAs('format_number', given!, 0, 'numeric')
  const second = decimals!.type === 'string' ? decimals! : argumentAs('format_number', decimals!, 1, 'int')
  return call('format_number', [number, second], 'string', true)
}

export const strings: readonly FunctionRow[] = [
  pair('startswith'),
  pair('endswith'),
  pair('contains'),
  scalar('upper', { takes: ['string'], gives: 'string', aliases: ['ucase'] }),
  scalar('lower', { takes: ['string'], gives: 'string', aliases: ['lcase'] }),
  scalar('initcap', { takes: ['string'], gives: 'string' }),
  scalar('length', { takes: ['text'], gives: 'int', aliases: ['char_length', 'character_length', 'len'] }),
  scalar('octet_length', { takes: ['text'], gives: 'int' }),
  scalar('bit_length', { takes: ['text'], gives: 'int' }),
  trimming('trim'),
  trimming('btrim', true),
  trimming('ltrim'),
  trimming('rtrim'),
  special('concat', [0, Infinity], resolveConcat, ['||']),
  special('concat_ws', [1, Infinity], resolveConcatWs),
  scalar('substring', { takes: ['text', 'int', 'int'], min: 2, gives: first, aliases: ['substr'] }),
  scalar('substring_index', { takes: ['string', 'string', 'int'], gives: 'string' }),
  special('left', [2, 2], resolveLeft),
  special('right', [2, 2], resolveRight),
  special('overlay', [3, 4], resolveOverlay),
  scalar('replace', { takes: ['string', 'string', 'string'], min: 2, defaults: [undefined, undefined, text('')], gives: 'string' }),
  scalar('translate', { takes: ['string', 'string', 'string'], gives: 'string' }),
  scalar('split', {
    takes: ['string', 'string', 'int'],
    min: 2,
    defaults: [undefined, undefined, int(-1)],
    gives: arrayOf('string', false),
  }),
  scalar('split_part', { takes: ['string', 'string', 'int'], gives: 'string' }),
  padding('lpad'),
  padding('rpad'),
  scalar('instr', { takes: ['string', 'string'], gives: 'int' }),
  scalar('locate', {
    takes: ['string', 'string', 'int'],
    min: 2,
    defaults: [undefined, undefined, int(1)],
    gives: 'int',
    aliases: ['position', 'charindex'],
  }),
  scalar('find_in_set', { takes: ['string', 'string'], gives: 'int' }),
  special('elt', [2, Infinity], resolveElt),
  special('reverse', [1, 1], resolveReverse),
  scalar('repeat', { takes: ['string', 'int'], gives: 'string' }),
  scalar('space', { takes: ['int'], gives: 'string' }),
  scalar('soundex', { takes: ['string'], gives: 'string' }),
  scalar('levenshtein', { takes: ['string', 'string', 'int'], min: 2, gives: 'int' }),
  scalar('luhn_check', { takes: ['string'], gives: 'boolean' }),
  special('mask', [1, 5], resolveMask),
  scalar('ascii', { takes: ['string'], gives: 'int' }),
  scalar('char', { takes: ['long'], gives: 'string', aliases: ['chr'] }),
  scalar('base64', { takes: ['binary'], gives: 'string' }),
  scalar('unbase64', { takes: ['string'], gives: 'binary' }),
  special('hex', [1, 1], resolveHex),
  scalar('unhex', { takes: ['string'], gives: 'binary', nullable: true }),
  scalar('encode', { takes: ['string', 'string'], gives: 'binary' }),
  special('decode', [2, Infinity], resolveDecode),
  special('format_string', [1, Infinity], resolveFormatString, ['printf']),
  special('format_number', [2, 2], resolveFormatNumber),
  special('to_number', [2, 2], toNumber('to_number')),
  special('try_to_number', [2, 2], toNumber('try_to_number')),
  special('to_char', [2, 2], resolveToChar, ['to_varchar']),
  special('to_binary', [1, 2], toBinary('to_binary')),
  special('try_to_binary', [1, 2], toBinary('try_to_binary')),
  scalar('is_valid_utf8', { takes: ['string'], gives: 'boolean' }),
  scalar('quote', { takes: ['string'], gives: 'string' }),
]
