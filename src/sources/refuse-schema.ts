import { InvalidQueryError } from '../base/errors.ts'
import type { Schema } from '../data/schema.ts'

/** For sources whose schema is fixed: a schema that the user gave is an error. */
export function refuseSchema(format: string, userSchema: Schema | undefined): void {
  if (userSchema === undefined) return
  throw new InvalidQueryError('UNSUPPORTED_USER_SPECIFIED_SCHEMA', {
    what: `the source "${format}" has a schema of its own and takes none from the user`,
    todo: 'leave out .schema(…)',
  })
}
