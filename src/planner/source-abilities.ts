import type { StreamScan } from '../plan/logical-plan.ts'

/** What sources can do beyond giving their columns. */
export interface SourceAbilities {
  /** Which columns of a source hold texts of JSON that it can parse itself, by its format. */
  readonly parsesJson: (format: string) => readonly string[]
  /** Whether a source gives single fields of its structs: then nobody sees what the others hold. */
  readonly givesFields: (scan: StreamScan) => boolean
  /** Where dead letters are kept: whether it can be told where a source's rows come from. */
  readonly tellsPlaces: (scan: StreamScan) => boolean
  /** Whether rows that fail are set aside. */
  readonly keepsDeadLetters: boolean
}
export const noAbilities: SourceAbilities = {
  parsesJson: () => [],
  givesFields: () => false,
  tellsPlaces: () => false,
  keepsDeadLetters: false,
}
