import type { StreamScan } from '../plan/logical-plan.ts'

/** What sources can do beyond giving their columns. */
export interface SourceAbilities {
  /** Which columns of a source hold texts of JSON that it can parse itself, by its format. */
  readonly parsesJson: (format: string) => readonly string[]
  /** Whether a source gives single fields of its structs: then nobody sees what the others hold. */
  readonly givesFields: (scan: StreamScan) => boolean
  /** Where dead letters are kept: the columns of a source that say where a row comes from. */
  readonly originColumns: (format: string) => readonly string[]
  /** Where dead letters are kept: whether a source's records can be found by the number of the row in a batch, by its format. */
  readonly tellsRecords: (format: string) => boolean
  /** Whether rows that fail are set aside. */
  readonly keepsDeadLetters: boolean
}
export const noAbilities: SourceAbilities = {
  parsesJson: () => [],
  givesFields: () => false,
  originColumns: () => [],
  tellsRecords: () => false,
  keepsDeadLetters: false,
}
