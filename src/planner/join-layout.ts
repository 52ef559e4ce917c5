import { assert } from '../base/errors.ts'
import type { Join } from '../plan/logical-plan.ts'

/** Where an output column of a join comes from; `both` is the first that is not null (the key of a full join). */
export interface JoinColumn {
  readonly from: 'left' | 'right' | 'both'
  readonly left: number
  readonly right: number
}

/** The output columns of a join: left then right (semi, anti: left only); with `using`, the keys once and first. */
export function joinLayout(join: Join): JoinColumn[] {
  const leftCount = join.left.schema.fields.length
  const rightCount = join.right.schema.fields.length
  const leftOnly = join.how === 'semi' || join.how === 'anti'
  const leftColumns = Array.from({ length: leftCount }, (_, left): JoinColumn => ({ from: 'left', left, right: -1 }))
  const rightColumns = leftOnly ? [] : Array.from({ length: rightCount }, (_, right): JoinColumn => ({ from: 'right', left: -1, right }))
  if (!join.using) return checked(join, [...leftColumns, ...rightColumns])
  const keys = join.using.map((name): JoinColumn => {
    const left = columnNamed(join.left.schema.names, name)
    const right = columnNamed(join.right.schema.names, name)
    assert(left >= 0 && right >= 0, `the join's column ${name} is on both sides`)
    return { from: join.how === 'right' ? 'right' : join.how === 'full' ? 'both' : 'left', left, right }
  })
  const rest = (column: JoinColumn) => !keys.some((key) => (column.from === 'left' ? key.left === column.left : key.right === column.right))
  return checked(join, [...keys, ...leftColumns.filter(rest), ...rightColumns.filter(rest)])
}

function columnNamed(names: readonly string[], name: string): number {
  const exact = names.indexOf(name)
  return exact >= 0 ? exact : names.findIndex((other) => other.toLowerCase() === name.toLowerCase())
}

function checked(join: Join, layout: JoinColumn[]): JoinColumn[] {
  assert(layout.length === join.schema.fields.length, `a join gives ${layout.length} columns and not ${join.schema.fields.length}`)
  return layout
}
