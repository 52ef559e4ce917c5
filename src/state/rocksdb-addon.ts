/** The part of `@nxtedition/rocksdb` that is used: its calls that work at once, on buffers. It is an optional dependency and comes without types. */
import { InvalidQueryError } from '../base/errors.ts'
import { providerClassKey } from '../checkpoint/pinned-conf.ts'

export interface RocksLevel {
  open(options: Readonly<Record<string, unknown>>): Promise<void>
  close(): Promise<void>
  getProperty(name: string): string
  batch(): RocksBatch
  iterator(options: Readonly<Record<string, unknown>>): RocksIterator
  _getManySync(keys: readonly Uint8Array[], options: object): (Uint8Array | null | undefined)[]
}
export interface RocksBatch {
  _put(key: Uint8Array, value: Uint8Array, options: object): void
  _del(key: Uint8Array, options: object): void
  _writeSync(options: object): void
  _closeSync(): void
}
export interface RocksPage {
  /** Key and value by turns; what was not asked for is undefined. */
  readonly rows: (Uint8Array | undefined)[]
  readonly finished: boolean
}
export interface RocksIterator {
  _seekSync(target: Uint8Array): void
  _nextvSync(count: number, options: object): RocksPage
  _nextvAsync(count: number, options: object): Promise<RocksPage>
  _closeSync(): void
}

type Addon = { readonly RocksLevel: new (location: string) => RocksLevel }

/** What can be done in place of it: for a checkpoint that keeps its state so, for a new one, and for one that was to be moved to it. */
const instead = {
  begun: ', or move the checkpoint back to the memory provider: millrace state move <checkpoint> --to memory',
  new: `, or leave ${providerClassKey} out: the state is then held in memory`,
  moving: ', or leave the checkpoint with the memory provider',
}

/**
 * Loads the addon. InvalidQueryError where the package is not installed, or has no binary for this platform; it says what else can be done, which depends
 * on what it is for.
 */
export async function loadRocksdb(use: keyof typeof instead, importAddon: () => Promise<unknown> = importPackage): Promise<Addon> {
  let addon: Addon | { readonly default: Addon }
  try {
    addon = (await importAddon()) as typeof addon
  } catch (error) {
    throw notThere(error, instead[use])
  }
  return 'RocksLevel' in addon ? addon : addon.default
}

function importPackage(): Promise<unknown> {
  // @ts-expect-error it has no types
  return import('@nxtedition/rocksdb')
}

function notThere(error: unknown, otherwise: string): InvalidQueryError {
  const text = error instanceof Error ? error.message : String(error)
  if ((error as { code?: unknown }).code === 'ERR_MODULE_NOT_FOUND') {
    return new InvalidQueryError('ROCKSDB_NOT_INSTALLED', {
      what: 'the state of this query is kept by the RocksDB provider, and the package @nxtedition/rocksdb is not installed',
      todo: `npm install @nxtedition/rocksdb${otherwise}`,
      cause: error,
    })
  }
  return new InvalidQueryError('ROCKSDB_NOT_SUPPORTED_HERE', {
    what: `the state of this query is kept by the RocksDB provider, and @nxtedition/rocksdb cannot be loaded on ${process.platform} ${process.arch}: ${text.split('\n')[0]}`,
    todo: `the package brings binaries for linux x64 and darwin arm64: run the query on one of these, build the package from source${otherwise}`,
    cause: error,
  })
}
