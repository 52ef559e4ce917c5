/** Every file of a checkpoint, and what it is by its name. */
import type { Files } from '../base/files.ts'
import { isTemporary } from '../base/local-files.ts'
import type { StoreId } from '../state/state-files.ts'

export interface CheckpointFile {
  /** Below the checkpoint's folder. */
  readonly name: string
  readonly path: string
  readonly bytes: number
  readonly modifiedMs: number
  readonly what: FileKind
}
export type FileKind =
  | { readonly kind: 'metadata' | 'run-note' | 'progress' | 'history' | 'temporary' | 'other' }
  | { readonly kind: 'offsets' | 'commits'; readonly batchId: number }
  | { readonly kind: 'run'; readonly epoch: number }
  | { readonly kind: 'source'; readonly source: string }
  | { readonly kind: 'schema'; readonly store: StoreId; readonly schemaId: number }
  | { readonly kind: 'changelog' | 'manifest'; readonly version: number; readonly epoch: number }
  | { readonly kind: 'snapshot'; readonly store: StoreId; readonly version: number; readonly epoch: number }

/** Kinds whose names may be a folder's as well. */
const mayBeFolder: ReadonlySet<FileKind['kind']> = new Set(['other', 'source', 'temporary'])

/** In no particular order. Where the query runs, some may be gone already, and others come. A folder that has the name of a file is told of, and not looked into. */
export async function listFiles(files: Files, folder: string, tellFolder: (name: string) => void = () => {}): Promise<CheckpointFile[]> {
  const found: CheckpointFile[] = []
  const visit = async (path: string, prefix: string): Promise<void> => {
    for (const entry of await files.list(path)) {
      const name = prefix + entry.name
      if (entry.isDirectory && !mayBeFolder.has(kindOf(name).kind)) tellFolder(name)
      else if (entry.isDirectory) await visit(entry.path, `${name}/`)
      else found.push({ name, path: entry.path, bytes: entry.sizeBytes, modifiedMs: entry.modifiedMs, what: kindOf(name) })
    }
  }
  await visit(folder, '')
  return found
}

const whole = '(0|[1-9]\\d{0,14})'
const patterns: readonly (readonly [RegExp, (match: readonly string[]) => FileKind])[] = [
  [/^metadata$/, () => ({ kind: 'metadata' })],
  [new RegExp(`^offsets/${whole}$`), ([, id]) => ({ kind: 'offsets', batchId: Number(id) })],
  [new RegExp(`^commits/${whole}$`), ([, id]) => ({ kind: 'commits', batchId: Number(id) })],
  [/^runs\/([1-9]\d*)$/, ([, epoch]) => ({ kind: 'run', epoch: Number(epoch) })],
  [/^runs\/[1-9]\d*\.(lease|ended)$/, () => ({ kind: 'run-note' })],
  [/^sources\/([^/]+)\//, ([, source]) => ({ kind: 'source', source: source! })],
  [/^history\/[1-9]\d*\.jsonl$/, () => ({ kind: 'history' })],
  [/^progress\/[1-9]\d*\.jsonl$/, () => ({ kind: 'progress' })],
  [
    new RegExp(`^state/(changelog|manifest)s?/${whole}-([1-9]\\d*)$`),
    ([, kind, version, epoch]) => ({ kind: kind as 'changelog', version: Number(version), epoch: Number(epoch) }),
  ],
  [
    new RegExp(`^state/(\\d+(?:/[^/]+)?)/snapshots/${whole}-([1-9]\\d*)-\\d+-\\d+\\.parquet$`),
    ([, store, version, epoch]) => ({ kind: 'snapshot', store: storeOf(store!), version: Number(version), epoch: Number(epoch) }),
  ],
  [
    new RegExp(`^state/(\\d+(?:/[^/]+)?)/_schema/${whole}$`),
    ([, store, id]) => ({ kind: 'schema', store: storeOf(store!), schemaId: Number(id) }),
  ],
]
function storeOf(name: string): StoreId {
  return name.includes('/') ? (name as StoreId) : Number(name)
}

export function kindOf(name: string): FileKind {
  if (isTemporary(name.slice(name.lastIndexOf('/') + 1))) return { kind: 'temporary' }
  for (const [pattern, make] of patterns) {
    const match = pattern.exec(name)
    if (match !== null) return make(match)
  }
  return { kind: 'other' }
}

/** The batch that made a file; undefined for those that belong to none. */
export function batchOf({ what }: CheckpointFile): number | undefined {
  switch (what.kind) {
    case 'offsets':
    case 'commits':
      return what.batchId
    case 'changelog':
    case 'manifest':
    case 'snapshot':
      return what.version - 1
    default:
      return undefined
  }
}
