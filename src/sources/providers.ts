import { fileSourceProvider } from './file-source-provider.ts'
import { memoryProvider } from './memory-stream.ts'
import type { SourceProvider } from './provider.ts'
import { rateMicroBatchProvider } from './rate-micro-batch-source.ts'
import { rateProvider } from './rate-source.ts'
import { socketProvider } from './socket-source.ts'

/** The sources that every engine knows. */
export const sourceProviders: readonly SourceProvider[] = [
  fileSourceProvider,
  rateProvider,
  rateMicroBatchProvider,
  socketProvider,
  memoryProvider,
]
