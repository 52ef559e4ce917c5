import type { StreamScan } from '../plan/logical-plan.ts'

/** What sources can do beyond giving their columns. */
export interface SourceAbilities {
  /** Which columns of a source hold texts of JSON that it can parse itself, by its format. */
  readonly parsesJson: (format: string) => readonly string[]
  /** Whether a source gives single fields of its structs: then nobody sees what the others hold. */
  readonly givesFields: (scan: StreamScan) => boolean
  /** Where dead letters are kept: the columns of a source that say where a row comes from. */
  readonly originColumns: (format: string) => readonly string[]
  /** Whether rows that fail are set aside. */
  readonly keepsDeadLetters: boolean
}
export const noAbilities: SourceAbilities = {
  parsesJson: () => [],
  givesFields: () => false,
  originColumns: () => [],
  keepsDeadLetters: false,
}
