import { assert } from '../base/errors.ts'
import type { CommitEntry } from './checkpoint.ts'
import { decodeLogText, encodeLogText, malformed, parseObject, wholeNumber } from './log-text.ts'
import type { EntryFormat } from './metadata-log.ts'

/**
 * commits/N: `v1` and one line, Spark's with Millrace's `epoch` added. A file that Spark wrote (no epoch, perhaps `{}`) is read with
 * epoch 0, which no run of Millrace has.
 */
export const commitFormat: EntryFormat<CommitEntry> = {
  encode(file, { nextBatchWatermarkMs, epoch, watermarks }) {
    assert(Number.isSafeInteger(nextBatchWatermarkMs), `the watermark of ${file.name} is in whole milliseconds`)
    assert(Number.isSafeInteger(epoch) && epoch > 0, `the epoch of ${file.name} is a positive whole number`)
    return encodeLogText(file, 1, { nextBatchWatermarkMs, epoch, ...(watermarks !== undefined && { watermarks }) })
  },
  decode(file, content) {
    const { lines, checked } = decodeLogText(file, content, 1)
    if (lines.length > 1) throw malformed(file, 'it has more than two lines')
    const entry = parseObject(file, lines[0]!)
    if (!checked && 'epoch' in entry) throw malformed(file, 'its checksum is missing')
    return {
      nextBatchWatermarkMs: wholeNumber(file, entry, 'nextBatchWatermarkMs', checked ? undefined : 0),
      epoch: wholeNumber(file, entry, 'epoch', checked ? undefined : 0),
      ...('watermarks' in entry && { watermarks: entry['watermarks'] }),
    }
  },
}
