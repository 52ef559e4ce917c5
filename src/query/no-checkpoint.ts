import { InvalidQueryError } from '../base/errors.ts'

/** The error of a folder that was given for a checkpoint, and is none. */
export function noCheckpoint(folder: string): InvalidQueryError {
  return new InvalidQueryError('PATH_NOT_FOUND', {
    what: `${folder} is no checkpoint: it has no file "metadata"`,
    todo: 'give the folder of option checkpointLocation, as it was when the query ran',
  })
}
