/** Long work in pieces, so that the event loop turns in between. */

export const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Sorts like `Array.prototype.sort`, a few thousand comparisons at a stretch. Gives a new array. */
export async function sortInSlices<T>(items: readonly T[], compare: (a: T, b: T) => number): Promise<T[]> {
  let runs: T[][] = []
  for (let i = 0; i < items.length; i += sliceLength) {
    if (i > 0) await nextTurn()
    runs.push(items.slice(i, i + sliceLength).sort(compare))
  }
  while (runs.length > 1) {
    const merged: T[][] = []
    for (let i = 0; i < runs.length; i += 2) merged.push(runs[i + 1] ? await merge(runs[i]!, runs[i + 1]!, compare) : runs[i]!)
    runs = merged
  }
  return runs[0] ?? []
}
const sliceLength = 4096

async function merge<T>(left: readonly T[], right: readonly T[], compare: (a: T, b: T) => number): Promise<T[]> {
  const result: T[] = []
  for (let i = 0, j = 0; i < left.length || j < right.length; ) {
    result.push(j >= right.length || (i < left.length && compare(left[i]!, right[j]!) <= 0) ? left[i++]! : right[j++]!)
    if (result.length % (2 * sliceLength) === 0) await nextTurn()
  }
  return result
}
