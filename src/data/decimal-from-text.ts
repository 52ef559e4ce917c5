import type { DecimalType } from './types.ts'

/** Digits that fit into 64 bits. */
const narrowest = 18

/**
 * SQL for the decimal that a text says, null where it says none. To decimals of more than 18 digits DuckDB's own cast takes 5 µs a text, which is 150 times what one to
 * fewer digits takes: what fits into those goes that way.
 */
export function decimalFromTextSql(text: string, { precision, scale }: DecimalType): string {
  const cast = (digits: number) => `TRY_CAST(${text} AS DECIMAL(${digits},${scale}))`
  if (precision <= narrowest || scale > narrowest) return cast(precision)
  return `coalesce(CAST(${cast(narrowest)} AS DECIMAL(${precision},${scale})), ${cast(precision)})`
}
