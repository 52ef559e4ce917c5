import { InvalidQueryError } from '../base/errors.ts'
import type { LogicalPlan, Sample } from './logical-plan.ts'

/**
 * About `fraction` of the rows, by chance. With replacement a row may come several times, and the fraction may be above 1. The same seed gives
 * the same rows of the same input.
 */
export function sample(input: LogicalPlan, fraction: number, withReplacement: boolean, seed: bigint): Sample {
  const max = withReplacement ? Number.MAX_VALUE : 1
  if (!(typeof fraction === 'number' && fraction >= 0 && fraction <= max)) {
    throw new InvalidQueryError('INVALID_PARAMETER_VALUE.SAMPLE_FRACTION', {
      what: `sample was given the fraction ${fraction}`,
      todo: withReplacement ? 'give a number of at least 0' : 'give a number from 0 to 1, or sample with replacement',
    })
  }
  return { kind: 'sample', input, lower: 0, upper: fraction, withReplacement, seed: BigInt.asIntN(64, seed), schema: input.schema }
}

/** The input in parts of these shares (weights, which need not sum up to 1): each row is in exactly one. */
export function randomSplit(input: LogicalPlan, weights: readonly number[], seed: bigint): Sample[] {
  const sum = weights.reduce((total, weight) => total + weight, 0)
  if (weights.length === 0 || weights.some((weight) => !(weight >= 0)) || !(sum > 0 && Number.isFinite(sum))) {
    throw new InvalidQueryError('INVALID_PARAMETER_VALUE.SPLIT_WEIGHTS', {
      what: `randomSplit was given the weights [${weights.join(', ')}]`,
      todo: 'give at least one number, none negative, with a sum above 0',
    })
  }
  let before = 0
  return weights.map((weight, i) => {
    const lower = before / sum
    before += weight
    const upper = i === weights.length - 1 ? 1 : before / sum
    return { ...sample(input, 1, false, seed), lower, upper }
  })
}
