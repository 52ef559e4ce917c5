import type { QueryProgress } from 'millrace'

/** What the worker tells the demo. */
export type FromWorker =
  | { readonly kind: 'progress'; readonly progress: QueryProgress }
  /** It stands in the middle of this batch, and waits for the axe. */
  | { readonly kind: 'holding'; readonly batchId: number; readonly queryName: string | null }
  | { readonly kind: 'failed'; readonly text: string }
/** What the demo tells the worker: finish all there is, and end; or stand still in the next batch of each query. */
export type ToWorker = { readonly kind: 'finish' } | { readonly kind: 'hold' }
