import { InvalidQueryError } from '../base/errors.ts'

/** A log that is not what the protocol says. Nothing of the table was changed. */
export function damagedLog(code: string, table: string, what: string, cause?: unknown): InvalidQueryError {
  return new InvalidQueryError(code, {
    what: `the Delta table ${table}: ${what}`,
    todo: 'restore its _delta_log from a backup, or let the writer that made it repair it (FSCK REPAIR TABLE, RESTORE)',
    ...(cause === undefined ? {} : { cause }),
  })
}
