import { rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import { systemClock } from '../base/clock.ts'
import { LocalFiles } from '../base/local-files.ts'
import { systemRandom } from '../base/random.ts'
import { moveProvider } from '../checkpoint/move-provider.ts'
import { loadRocksdb } from '../state/rocksdb-addon.ts'
import { version } from '../version.ts'
import { localFolder } from './state-provider.ts'

export interface MoveStateOptions {
  /** What `millrace.stateStore.localFolder` says, so that a database there goes as well. */
  readonly localFolder?: string
}
/** What `moveState` did. */
export interface MoveStateReport {
  readonly path: string
  readonly queryId: string
  readonly from: 'memory' | 'rocksdb'
  readonly to: 'memory' | 'rocksdb'
  /** The next start goes by this entry of `offsets/`. */
  readonly batchId: number
}

/**
 * Makes a checkpoint keep its state with another provider from the next start on. What is on disk stays as it is, but for one entry of `offsets/`; the
 * first start with RocksDB makes its database of it. InvalidQueryError PATH_NOT_FOUND, ROCKSDB_NOT_INSTALLED, ROCKSDB_NOT_SUPPORTED_HERE;
 * FencedError CONCURRENT_QUERY while a run holds the checkpoint.
 */
export async function moveState(path: string, to: 'memory' | 'rocksdb', options: MoveStateOptions = {}): Promise<MoveStateReport> {
  if (to === 'rocksdb') await loadRocksdb('moving')
  const folder = resolve(path)
  const moved = await moveProvider({
    files: new LocalFiles(),
    clock: systemClock,
    random: systemRandom,
    folder,
    to,
    millraceVersion: version,
  })
  if (to === 'memory') await rm(localFolder(folder, moved.queryId, options.localFolder ?? ''), { recursive: true, force: true })
  return { path: folder, to, ...moved }
}
