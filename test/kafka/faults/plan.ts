import type { BatchStep } from '../../../src/query/steps.ts'
import type { Api } from './wire.ts'
import type { Target } from './worker.ts'

export const faultKinds = ['kill', 'broker restart', 'freeze', 'delay', 'duplicate', 'drop'] as const
export type FaultKind = (typeof faultKinds)[number]

/** Where a fault strikes: at a message between client and broker, or at a step of a batch that the worker stands at. */
export type Place =
  | { readonly kind: 'message'; readonly api: Api; readonly side: 'request' | 'answer' }
  | { readonly kind: 'step'; readonly step: BatchStep; readonly when: 'before' | 'after' }
export interface Fault {
  readonly kind: FaultKind
  readonly place: Place
  /** It waits for so many transactions (into Kafka) or batches (into Delta) of the round to have begun. */
  readonly notBefore: number
  /** How: what each number means stands in faults.ts. */
  readonly variant: number
  /** From 0 to 1: how late within what the kind of fault allows. */
  readonly share: number
}

/** A number from 0 up to 1 from a seed, the same on every machine (mulberry32). */
export class Dice {
  #state: number
  constructor(seed: number) {
    this.#state = seed >>> 0
  }
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  below(count: number): number {
    return Math.floor(this.next() * count)
  }
  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!
  }
}

/** Requests of a transaction. InitProducerId stands before it, and decides over the one before. */
const ofTransactions: readonly Api[] = ['AddPartitionsToTxn', 'Produce', 'AddOffsetsToTxn', 'TxnOffsetCommit', 'EndTxn']
/** Twice the one at which the output and the query's own logs disagree for a moment. */
const steps: readonly BatchStep[] = ['offset-log/write', 'batch/run', 'sink/commit', 'sink/commit', 'commit-log/write']

/** The faults of one round: a broker restart and a freeze in turn, mostly a kill, and four of the network. */
export function drawFaults(dice: Dice, round: number, target: Target['kind'], batches: number): Fault[] {
  const ofProcesses = [round % 2 === 0 ? 'freeze' : 'broker restart', ...(dice.next() < 0.7 ? ['kill'] : [])] as const
  const ofNetwork = ['delay', 'duplicate', 'drop', 'drop'] as const
  return ([...ofProcesses, ...ofNetwork] as FaultKind[]).map((kind) => ({
    kind,
    place: drawPlace(dice, kind, target),
    notBefore: 1 + dice.below(batches - 2),
    variant: dice.below(6),
    share: dice.next(),
  }))
}

function drawPlace(dice: Dice, kind: FaultKind, target: Target['kind']): Place {
  const isOfNetwork = kind === 'delay' || kind === 'duplicate' || kind === 'drop'
  const side = dice.pick(['request', 'answer'] as const)
  if (target === 'delta') {
    // where the topics end is asked once by a process: Fetch is what a batch does
    if (isOfNetwork || kind === 'broker restart') return { kind: 'message', api: dice.next() < 0.1 ? 'ListOffsets' : 'Fetch', side }
    return { kind: 'step', step: dice.pick(steps), when: dice.pick(['before', 'after'] as const) }
  }
  const chance = dice.next()
  // the commit log is what a query writes after its transaction has ended
  if (!isOfNetwork && chance < 0.05) return { kind: 'step', step: 'commit-log/write', when: 'before' }
  if (isOfNetwork && chance < 0.1) return { kind: 'message', api: 'InitProducerId', side }
  return { kind: 'message', api: dice.pick(ofTransactions), side }
}
