/** What a reader of the output may find, by Jepsen's names. */
export type AnomalyKind = 'aborted read' | 'lost write' | 'duplicate' | 'torn transaction' | 'wrong result'
export interface Anomaly {
  readonly kind: AnomalyKind
  readonly what: string
}

/** A record of the input. */
export interface Given {
  /** Unique in the round. */
  readonly n: number
  readonly partition: number
  readonly offset: number
}
/** A record of the output, as an independent reader got it: of a record of the input, or of a window of ten numbers. */
export interface Result {
  /** The number, or the first one of the window. */
  readonly n: number
  /** How many records the query counted; of a single record 1. */
  readonly count: number
  /** Which process of the round made it. */
  readonly attempt: number
  /** Where it lies in the output. */
  readonly place: string
  /** The log says that its transaction was aborted. */
  readonly isAborted: boolean
}
export interface Evidence {
  /** What was committed to the input: each is due exactly once. */
  readonly committed: readonly Given[]
  /** What was sent to the input within transactions that were aborted: never due. */
  readonly aborted: ReadonlySet<number>
  readonly results: readonly Result[]
  /** Whether results are counts by window: these are made of many batches, so that none of them has a batch. */
  readonly windowed: boolean
  /** The batch of a record of the input, by the offset log of the checkpoint. */
  readonly batchOf: (partition: number, offset: number) => number | undefined
}

export const windowSize = 10

export function anomaliesOf(evidence: Evidence): Anomaly[] {
  const { results, windowed } = evidence
  const due = windowed ? windowsOf(evidence.committed) : new Map(evidence.committed.map(({ n }) => [n, 1]))
  const byNumber = Map.groupBy(results, ({ n }) => n)
  const found = results.flatMap((result) => anomaliesOfResult(result, due, windowed ? new Set() : evidence.aborted))
  for (const [n, own] of byNumber) {
    if (own.length < 2) continue
    const places = own.map(({ place, attempt }) => `${place} (process ${attempt})`).join(', ')
    found.push({ kind: 'duplicate', what: `result ${n} is there ${own.length} times: ${places}` })
  }
  if (!windowed) return [...found, ...anomaliesOfBatches(evidence, byNumber)]
  for (const n of due.keys()) if (!byNumber.has(n)) found.push({ kind: 'lost write', what: `there is no result of the window from ${n}` })
  return found
}

function windowsOf(committed: readonly Given[]): Map<number, number> {
  const windows = Map.groupBy(committed, ({ n }) => Math.floor(n / windowSize) * windowSize)
  return new Map([...windows].map(([n, own]) => [n, own.length]))
}

function anomaliesOfResult(
  { n, count, place, isAborted }: Result,
  due: ReadonlyMap<number, number>,
  aborted: ReadonlySet<number>,
): Anomaly[] {
  const found: Anomaly[] = []
  if (isAborted) found.push({ kind: 'aborted read', what: `result ${n} at ${place} belongs to a transaction that was aborted` })
  if (aborted.has(n)) found.push({ kind: 'aborted read', what: `result ${n} at ${place} comes of a record that was aborted in the input` })
  else if (!due.has(n)) found.push({ kind: 'wrong result', what: `result ${n} at ${place} comes of no record of the input` })
  else if (due.get(n) !== count)
    found.push({ kind: 'wrong result', what: `result ${n} at ${place} counts ${count} records, and there are ${due.get(n)}` })
  return found
}

/** The results of a batch are all there, and come from one process. */
function anomaliesOfBatches({ committed, batchOf }: Evidence, byNumber: ReadonlyMap<number, readonly Result[]>): Anomaly[] {
  const found: Anomaly[] = []
  for (const [batch, due] of Map.groupBy(committed, ({ partition, offset }) => batchOf(partition, offset))) {
    const missing = due.filter(({ n }) => !byNumber.has(n))
    const name = batch === undefined ? 'records of no batch' : `batch ${batch}`
    const list = missing.map(({ n }) => n).join(', ')
    if (missing.length > 0)
      found.push({ kind: 'lost write', what: `${name}: no result of ${missing.length} of ${due.length} records (${list})` })
    if (missing.length > 0 && missing.length < due.length) {
      found.push({ kind: 'torn transaction', what: `${name}: ${due.length - missing.length} of ${due.length} results are visible` })
    }
    const attempts = new Set(due.flatMap(({ n }) => (byNumber.get(n) ?? []).map(({ attempt }) => attempt)))
    if (attempts.size > 1) {
      found.push({ kind: 'torn transaction', what: `${name}: its results come from the processes ${[...attempts].sort().join(' and ')}` })
    }
  }
  return found
}
