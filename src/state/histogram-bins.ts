/**
 * A histogram of at most `bins` bins of any width (Ben-Haim and Tom-Tov, 2010): [bins, x1, y1, x2, y2, …], centres in order and how many numbers each stands for.
 * Where there would be too many bins, the two nearest become one, in their centre of mass; the sum and the number of all numbers stay what they are.
 */
export function mergeBins(a: readonly number[], b: readonly number[]): readonly number[] {
  const limit = a[0]!
  const bins = [...pairsOf(a), ...pairsOf(b)].sort((p, q) => p.x - q.x)
  for (let i = bins.length - 2; i >= 0; i--) if (bins[i]!.x === bins[i + 1]!.x) join(bins, i)
  while (bins.length > limit) {
    let nearest = 0
    for (let i = 1; i < bins.length - 1; i++) {
      if (bins[i + 1]!.x - bins[i]!.x < bins[nearest + 1]!.x - bins[nearest]!.x) nearest = i
    }
    join(bins, nearest)
  }
  return [limit, ...bins.flatMap(({ x, y }) => [x, y])]
}

interface Bin {
  x: number
  y: number
}
function pairsOf(bins: readonly number[]): Bin[] {
  return Array.from({ length: (bins.length - 1) / 2 }, (_, i) => ({ x: bins[1 + 2 * i]!, y: bins[2 + 2 * i]! }))
}
/** Bins i and i+1 become one. */
function join(bins: Bin[], i: number): void {
  const [p, q] = [bins[i]!, bins[i + 1]!]
  const y = p.y + q.y
  bins.splice(i, 2, { x: p.x === q.x ? p.x : (p.x * p.y + q.x * q.y) / y, y })
}
