import { consoleSinkProvider } from './console-sink.ts'
import { fileSinkProvider } from './file-sink.ts'
import { foreachBatchProvider } from './foreach-batch.ts'
import { foreachProvider } from './foreach-sink.ts'
import { memorySinkProvider } from './memory-sink.ts'
import { noopSinkProvider } from './noop-sink.ts'
import type { SinkProvider } from './sink.ts'

const registered: SinkProvider[] = [
  fileSinkProvider,
  foreachBatchProvider,
  foreachProvider,
  memorySinkProvider,
  consoleSinkProvider,
  noopSinkProvider,
]

/** The sinks that every engine of the process knows: the built-in ones, and those of the subpath exports that were imported. */
export const sinkProviders: readonly SinkProvider[] = registered

/** Makes a sink known to every engine of the process. Once is enough; again changes nothing. */
export function registerSink(provider: SinkProvider): void {
  if (!registered.includes(provider)) registered.push(provider)
}
