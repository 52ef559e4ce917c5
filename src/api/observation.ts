import { InvalidQueryError } from '../base/errors.ts'
import type { Row as DataRow } from '../data/row-set.ts'
import type { Row } from './frame-types.ts'

/**
 * What a batch has observed: `const seen = new Observation('seen')`, then `df.observe(seen, () => ({ n: count() }))`, an action on the
 * frame, and `await seen.get()`. Of several actions the first one that succeeds counts. (A stream shows its metrics in each QueryProgress.)
 */
export class Observation<out A = any> {
  readonly name: string
  readonly #metrics: Promise<DataRow>
  readonly #report: (metrics: DataRow) => void
  #isUsed = false
  constructor(name: string = `observation-${++observations}`) {
    const { promise, resolve } = Promise.withResolvers<DataRow>()
    this.name = name
    this.#metrics = promise
    this.#report = resolve
  }
  /** The metrics, by name; waits for an action on the observed frame. */
  get(): Promise<Row<A>> {
    return this.#metrics as Promise<Row<A>>
  }
  /** The end of it that the engine gets. An Observation serves one frame. */
  static observedOf(observation: Observation): { readonly report: (metrics: DataRow) => void } {
    if (observation.#isUsed)
      throw new InvalidQueryError('OBSERVATION_ALREADY_USED', {
        what: `the Observation "${observation.name}" was given to observe a second time`,
        todo: 'make a new Observation for each observe',
      })
    observation.#isUsed = true
    return { report: observation.#report }
  }
}
let observations = 0
