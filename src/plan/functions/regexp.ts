/** Patterns: LIKE and regular expressions. */
import { typeMismatch } from '../analysis-errors.ts'
import { anyNullable, argumentAs, call } from '../signatures.ts'
import { arrayOf, type FunctionRow, int, type Resolve, scalar, special } from './row.ts'

const resolveReplace: Resolve = (given) => {
  const texts = given.slice(0, 3).map((arg, i) => argumentAs('regexp_replace', arg, i, 'string'))
  const position = argumentAs('regexp_replace', given[3] ?? int(1), 3, 'int')
  if (position.kind !== 'literal' || (typeof position.value === 'number' && position.value < 1))
    throw typeMismatch(
      'VALUE_OUT_OF_RANGE',
      'the position of regexp_replace must be a constant of 1 or more',
      'leave it out to begin at the first character',
    )
  const args = [...texts, position]
  return call('regexp_replace', args, 'string', anyNullable(args))
}

export const regexp: readonly FunctionRow[] = [
  scalar('like', { takes: ['string', 'string', 'string'], min: 2, gives: 'boolean' }),
  scalar('ilike', { takes: ['string', 'string', 'string'], min: 2, gives: 'boolean' }),
  scalar('rlike', { takes: ['string', 'string'], gives: 'boolean', aliases: ['regexp', 'regexp_like'] }),
  scalar('regexp_count', { takes: ['string', 'string'], gives: 'int' }),
  scalar('regexp_extract', { takes: ['string', 'string', 'int'], min: 2, defaults: [undefined, undefined, int(1)], gives: 'string' }),
  scalar('regexp_extract_all', {
    takes: ['string', 'string', 'int'],
    min: 2,
    defaults: [undefined, undefined, int(1)],
    gives: arrayOf('string', true),
  }),
  scalar('regexp_instr', { takes: ['string', 'string'], gives: 'int' }),
  special('regexp_replace', [3, 4], resolveReplace),
  scalar('regexp_substr', { takes: ['string', 'string'], gives: 'string', nullable: true }),
]
