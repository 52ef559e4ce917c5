import type { BatchWatermarks } from './step.ts'

/** SQL with the late watermark in its place: a late row's event time is at or below it. Without a watermark there is none. */
export function withLate(text: string, { lateUs }: BatchWatermarks): string {
  return text.replaceAll('⟦late⟧', lateUs === null ? 'NULL::TIMESTAMP' : `make_timestamp(${lateUs})`)
}
