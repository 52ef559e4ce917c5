import { createHash } from 'node:crypto'
import { totalmem } from 'node:os'
import { join, resolve } from 'node:path'
import type { Checkpoint } from '../checkpoint/checkpoint.ts'
import { providerClassKey, stateProviderOf } from '../checkpoint/pinned-conf.ts'
import type { StateProvider } from '../state/state-options.ts'
import type { Conf } from './conf.ts'

/** State beside DuckDB, which gets six tenths of the process's memory where a limit is set. */
const stateShare = { ofLimit: 0.4, ofMachine: 0.5, rocksdbOfLimit: 0.2 }
const megabyte = 2 ** 20

/** How the provider that a checkpoint keeps to works in this run. */
export function stateProvider(
  checkpoint: Checkpoint,
  pinned: Readonly<Record<string, string>>,
  conf: Conf,
  warn: (text: string) => void,
): StateProvider {
  const processBytes = conf.bytes('millrace.memoryLimit')
  // an imported checkpoint keeps what the first run with state began with
  if (stateProviderOf(pinned[providerClassKey] ?? conf.text(providerClassKey)) === 'memory') {
    const byDefault = processBytes === undefined ? stateShare.ofMachine * machineBytes() : stateShare.ofLimit * processBytes
    return { kind: 'memory', limitBytes: conf.bytes('millrace.stateStore.memoryLimit') ?? Math.floor(byDefault), warn }
  }
  const megabytes = conf.text('spark.sql.streaming.stateStore.rocksdb.maxMemoryUsageMB')
  const byDefault = processBytes === undefined ? 500 * megabyte : Math.floor(stateShare.rocksdbOfLimit * processBytes)
  return {
    kind: 'rocksdb',
    isNew: !checkpoint.recovering,
    folder: localFolder(checkpoint.folder, checkpoint.queryId, conf.text('millrace.stateStore.localFolder')),
    memoryBytes: megabytes === '' ? byDefault : Number(megabytes) * megabyte,
    writeBufferRatio: Number(conf.text('spark.sql.streaming.stateStore.rocksdb.writeBufferCacheRatio')),
    blockBytes: conf.number('spark.sql.streaming.stateStore.rocksdb.blockSizeKB') * 1024,
    warn,
  }
}

/** Where a query keeps what it can make anew. */
export function localFolder(checkpointFolder: string, queryId: string, configured: string): string {
  if (configured === '') return join(checkpointFolder, 'local')
  // a copy of a checkpoint has the same query id
  const place = createHash('sha256').update(resolve(checkpointFolder)).digest('hex').slice(0, 8)
  return join(configured, `${queryId}-${place}`)
}

/** What there is for this process: of the machine, or of its container. */
function machineBytes(): number {
  const constrained = process.constrainedMemory()
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem()
}
