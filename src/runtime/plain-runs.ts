import { InvalidQueryError, UnavailableError } from '../base/errors.ts'
import { inputsOfNode, type PhysicalNode, type StreamingPlan } from '../planner/streaming-plan.ts'
import type { SetAsideSettings } from './set-aside.ts'

/** Rows are to be set aside, and where they come from was not kept. */
export class RowsToSetAside extends Error {}

/** So many batches at most are run in full before it is tried again. */
const longestPause = 64

/**
 * Most batches have no row to set aside, and what it takes to find one (rows that are kept before they go on, and numbered) costs more than the rest of a short query. So where dead letters are kept a batch
 * is run as if there were none, and begun again in full where something fails. That is possible as long as nothing has happened that can't be taken back: no state has changed, no function of the
 * program was called, no sink has the rows. What comes out is the same both ways.
 */
export class PlainRuns {
  readonly #isPossible: boolean
  #pause = 0
  #lastPause = 0
  constructor({ root, stateful, origin }: StreamingPlan, setAside: SetAsideSettings | null, hasOutputs: boolean) {
    const keepsLetters = setAside !== null && setAside.deadLetterLimits !== null && setAside.lateColumns === null
    const isKnownStep = stateful.length === 0 || (stateful.length === 1 && /^(?:aggregate|session)$/.test(stateful[0]!.kind))
    // a sink that may refuse rows asks where they come from
    this.#isPossible = keepsLetters && !hasOutputs && isKnownStep && origin?.column === undefined && !callsProgram(root)
  }

  /** Whether the next batch is to be tried. */
  get isDue(): boolean {
    return this.#isPossible && this.#pause === 0
  }
  /** A batch is done. `hadToBeginAgain`: of one that was tried. */
  finished(wasTried: boolean, hadToBeginAgain: boolean): void {
    if (!wasTried) this.#pause = Math.max(0, this.#pause - 1)
    else this.#lastPause = this.#pause = hadToBeginAgain ? Math.min(longestPause, this.#lastPause * 2 || 1) : 0
  }
}

/** Whether an error may be that of a row, or of a file that can be left out. */
export function mayBeOfRow(error: unknown): boolean {
  if (error instanceof RowsToSetAside || error instanceof InvalidQueryError) return true
  return error instanceof UnavailableError && /^(?:FAILED_READ_FILE|FILE_NOT_EXIST)/.test(error.code)
}

function callsProgram(node: PhysicalNode): boolean {
  return node.kind === 'user-calls' || node.kind === 'batch-groups' || inputsOfNode(node).some(callsProgram)
}
