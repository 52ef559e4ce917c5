import { fileSourceProvider } from './file-source-provider.ts'
import { memoryProvider } from './memory-stream.ts'
import type { SourceProvider } from './provider.ts'
import { rateMicroBatchProvider } from './rate-micro-batch-source.ts'
import { rateProvider } from './rate-source.ts'
import { socketProvider } from './socket-source.ts'

const registered: SourceProvider[] = [fileSourceProvider, rateProvider, rateMicroBatchProvider, socketProvider, memoryProvider]

/** The sources that every engine of the process knows: the built-in ones, and those of the subpath exports that were imported. */
export const sourceProviders: readonly SourceProvider[] = registered

/** Makes a source known to every engine of the process. Once is enough; again changes nothing. */
export function registerSource(provider: SourceProvider): void {
  if (!registered.includes(provider)) registered.push(provider)
}
