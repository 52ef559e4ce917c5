/** What fits nowhere else. */
import type { Templates } from './template.ts'

export const misc: Templates = {
  uuid: () => 'CAST(uuid() AS VARCHAR)',
}
