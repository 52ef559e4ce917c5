import { consoleSinkProvider } from './console-sink.ts'
import { fileSinkProvider } from './file-sink.ts'
import { foreachBatchProvider } from './foreach-batch.ts'
import { foreachProvider } from './foreach-sink.ts'
import { memorySinkProvider } from './memory-sink.ts'
import { noopSinkProvider } from './noop-sink.ts'
import type { SinkProvider } from './sink.ts'

/** The sinks that every engine knows. */
export const sinkProviders: readonly SinkProvider[] = [
  fileSinkProvider,
  foreachBatchProvider,
  foreachProvider,
  memorySinkProvider,
  consoleSinkProvider,
  noopSinkProvider,
]
