/** URLs. */
import { argumentAs, call } from '../signatures.ts'
import { type FunctionRow, literal, scalar, special } from './row.ts'

function parsing(name: string): FunctionRow {
  return special(name, [2, 3], (given) => {
    const args = given.map((arg, i) => argumentAs(name, arg, i, 'string'))
    // a key that is null is another thing than none
    if (given[2]?.kind === 'literal' && given[2].value === null) return literal(null, 'string')
    return call(name, args, 'string', true)
  })
}

export const url: readonly FunctionRow[] = [
  parsing('parse_url'),
  parsing('try_parse_url'),
  scalar('url_encode', { takes: ['string'], gives: 'string' }),
  scalar('url_decode', { takes: ['string'], gives: 'string' }),
  scalar('try_url_decode', { takes: ['string'], gives: 'string', nullable: true }),
]
