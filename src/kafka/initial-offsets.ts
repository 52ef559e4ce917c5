import type { NoteFormat } from '../sources/start-note.ts'
import { offsetJson, type PartitionOffsets, parseOffsets } from './offsets.ts'

/** Where a new query began, in Spark's form: a zero byte, `v1`, and the offsets. */
export const initialOffsets: NoteFormat<PartitionOffsets> = {
  encode: (offsets) => `\0v1\n${JSON.stringify(offsetJson(offsets))}`,
  decode: (text) => {
    const match = /^\0?v1\n(.*)$/s.exec(text)
    return match ? parseOffsets(jsonOf(match[1]!), 0) : undefined
  },
  content: 'v1 and the offsets of topics and partitions',
  meaning: 'the offsets at which the source began',
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
