/** The distinct identities (4 words each) among the given ones, in the order of their first coming. */
export function distinctKeys(ids: Uint32Array): Uint32Array {
  const count = ids.length / 4
  const size = 2 ** Math.max(4, Math.ceil(Math.log2(count * 2 + 1)))
  const table = new Int32Array(size) // place of an identity in `distinct`, plus 1
  const distinct = new Uint32Array(ids.length)
  let end = 0
  for (let at = 0; at < ids.length; at += 4) {
    let place = ids[at + 1]! & (size - 1)
    for (;;) {
      const known = table[place]! - 1
      if (known < 0) {
        table[place] = end + 1
        for (let word = 0; word < 4; word++) distinct[end + word] = ids[at + word]!
        end += 4
        break
      }
      if (isSame(ids, at, distinct, known)) break
      place = (place + 1) & (size - 1)
    }
  }
  return distinct.subarray(0, end)
}

function isSame(a: Uint32Array, i: number, b: Uint32Array, k: number): boolean {
  return a[i] === b[k] && a[i + 1] === b[k + 1] && a[i + 2] === b[k + 2] && a[i + 3] === b[k + 3]
}
