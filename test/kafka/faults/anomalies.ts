/** What a reader of the output may find, by Jepsen's names. */
export type AnomalyKind = 'aborted read' | 'lost write' | 'duplicate' | 'torn transaction' | 'unknown result'
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
/** A record of the output, as an independent reader got it. */
export interface Result {
  readonly n: number
  /** Where the query says it read it. */
  readonly partition: number
  readonly offset: number
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
  /** The batch of a record of the input, by the offset log of the checkpoint. */
  readonly batchOf: (partition: number, offset: number) => number | undefined
}

export function anomaliesOf({ committed, aborted, results, batchOf }: Evidence): Anomaly[] {
  const found: Anomaly[] = []
  const given = new Map(committed.map((each) => [each.n, each]))
  const byNumber = Map.groupBy(results, ({ n }) => n)
  for (const { n, place, isAborted } of results) {
    if (isAborted) found.push({ kind: 'aborted read', what: `result ${n} at ${place} belongs to a transaction that was aborted` })
    if (aborted.has(n))
      found.push({ kind: 'aborted read', what: `result ${n} at ${place} comes of a record that was aborted in the input` })
    else if (!given.has(n)) found.push({ kind: 'unknown result', what: `result ${n} at ${place} comes of no record of the input` })
  }
  for (const [n, own] of byNumber) {
    if (own.length < 2) continue
    const places = own.map(({ place, attempt }) => `${place} (process ${attempt})`).join(', ')
    found.push({ kind: 'duplicate', what: `result ${n} is there ${own.length} times: ${places}` })
  }
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
