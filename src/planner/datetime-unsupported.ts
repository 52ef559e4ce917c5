import { InvalidQueryError } from '../base/errors.ts'

/** A piece of a date pattern that Spark can do and the local engine can not. */
export class UnsupportedPattern extends InvalidQueryError {
  constructor(pattern: string, piece: string, meaning: string) {
    super('UNSUPPORTED_ARGUMENT', {
      what: `${piece} in the datetime pattern ${JSON.stringify(pattern)} (${meaning}) can't run on the local engine`,
      todo: 'leave it out, or use an offset (XXX) or the name of the region (VV)',
    })
  }
}
