/** Errors of files in state/. All of them name the file; nothing was changed. */
import { CorruptCheckpointError } from '../base/errors.ts'

const restore = 'restore the whole checkpoint folder from one backup, or start a new checkpoint; nothing was overwritten'

export function damagedFile(path: string, what: string, cause?: unknown): CorruptCheckpointError {
  return new CorruptCheckpointError('CHECKPOINT_FILE_CHECKSUM_VERIFICATION_FAILED', {
    what: `the state file ${path} is damaged: ${what}`,
    todo: restore,
    cause,
  })
}

export function missingChangelog(path: string): CorruptCheckpointError {
  return new CorruptCheckpointError('CANNOT_LOAD_STATE_STORE.CANNOT_READ_DELTA_FILE_NOT_EXISTS', {
    what: `the state needs the changelog ${path}, which is not there`,
    todo: restore,
  })
}

export function missingSnapshot(path: string, manifest: string): CorruptCheckpointError {
  return new CorruptCheckpointError('CANNOT_LOAD_STATE_STORE.CANNOT_READ_MISSING_SNAPSHOT_FILE', {
    what: `the state needs the snapshot ${path}, which ${manifest} names and which is not there`,
    todo: restore,
  })
}

export function newerFormat(path: string, version: number, newest: number): CorruptCheckpointError {
  return new CorruptCheckpointError('CANNOT_LOAD_STATE_STORE.INVALID_CHANGE_LOG_READER_VERSION', {
    what: `the state file ${path} has format version ${version}; this release reads versions up to ${newest}`,
    todo: 'run the query with the release of Millrace that wrote the checkpoint, or a newer one',
  })
}

export function foreignFile(path: string, what: string): CorruptCheckpointError {
  return new CorruptCheckpointError('STATE_STORE_FILE_OF_ANOTHER_QUERY', {
    what: `the state file ${path} does not belong here: ${what}`,
    todo: 'restore the state folder of this very query; files of two checkpoints must not be mixed',
  })
}
