/** Patterns: LIKE and regular expressions. */
import { type FunctionRow, int, scalar } from './row.ts'

export const regexp: readonly FunctionRow[] = [
  scalar('like', { takes: ['string', 'string', 'string'], min: 2, gives: 'boolean' }),
  scalar('ilike', { takes: ['string', 'string', 'string'], min: 2, gives: 'boolean' }),
  scalar('rlike', { takes: ['string', 'string'], gives: 'boolean', aliases: ['regexp', 'regexp_like'] }),
  scalar('regexp_replace', { takes: ['string', 'string', 'string'], gives: 'string' }),
  scalar('regexp_extract', { takes: ['string', 'string', 'int'], min: 2, defaults: [undefined, undefined, int(1)], gives: 'string' }),
]
