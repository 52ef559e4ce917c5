import { join } from 'node:path'
import { CorruptCheckpointError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import type { CommitEntry } from './checkpoint.ts'
import { shapeOf } from './query-shape.ts'
import type { RunRecord } from './runs.ts'

/** Whether a checkpoint has state: with stateful operators, also such as keep nothing, each commit leaves a file there. */
export async function hasState(files: Files, folder: string): Promise<boolean> {
  return (await files.list(join(folder, 'state'))).some(({ isDirectory }) => isDirectory)
}

/**
 * The error of a checkpoint whose state is gone: the run that made the newest commit had stateful operators. A start would otherwise take them for new, and
 * those that may be added would begin empty without a word. Where other runs have begun since and committed nothing, nobody can tell.
 */
export function missingState(
  folder: string,
  run: RunRecord | undefined,
  newest: CommitEntry | undefined,
): CorruptCheckpointError | undefined {
  const operators = shapeOf(run?.shape)?.operators ?? []
  if (operators.length === 0 || newest?.epoch !== run!.epoch) return undefined
  const list = operators.map(({ operatorId, operator }) => `(OperatorId: ${operatorId} -> OperatorName: ${operator})`).join(', ')
  return new CorruptCheckpointError('STREAMING_STATEFUL_OPERATOR_MISSING_STATE_DIRECTORY', {
    what: `${join(folder, 'state')} is missing or empty, but the query has stateful operators: ${list}`,
    todo: 'restore the whole checkpoint folder from one backup, or start the query with a new checkpointLocation',
  })
}
