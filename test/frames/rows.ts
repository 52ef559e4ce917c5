import type { DataFrame } from 'millrace'
import { expect } from 'vitest'

/** The rows of a frame as texts, sorted where the order is not the point. */
export async function texts(frame: DataFrame<any>): Promise<string[]> {
  return (await ordered(frame)).sort()
}
/** The rows as texts, in their order: values separated by spaces, nulls as `null`. */
export async function ordered(frame: DataFrame<any>): Promise<string[]> {
  const names = frame.columns.map((_, i) => `c${i}`) // a join may give a name twice
  return (await frame.toDF(...names).collect()).map((row) => names.map((name) => String(row[name])).join(' '))
}
/** `name type` for each column, with a `?` where it may be null. */
export function columnsOf(frame: DataFrame<any>): string[] {
  return frame.schema.fields.map(
    ({ name, type, nullable }) => `${name} ${typeof type === 'string' ? type : type.kind}${nullable ? '?' : ''}`,
  )
}
export const code = (expected: string) => expect.objectContaining({ code: expected })
