import type { QueryProgress } from 'millrace'

/** What the worker tells the demo. */
export type FromWorker =
  | { readonly kind: 'progress'; readonly progress: QueryProgress }
  /** It stands between the commit of the state and the commit of the output of this batch, and waits for the axe. */
  | { readonly kind: 'holding'; readonly batchId: number }
  | { readonly kind: 'failed'; readonly text: string }
/** What the demo tells the worker: finish all there is, and end. */
export type ToWorker = { readonly kind: 'finish' }
