import { bindings, type Result } from './bindings.ts'
import type { FileScan } from './read-request.ts'

/** What a reader of files shows of itself in DuckDB's profile. */
export interface ScanSignature {
  /** READ_JSON, READ_CSV … */
  readonly reader: string
  /** The file names as the profile prints them: the first five. */
  readonly files: string
  readonly fileCount: number
}

/** A node of the JSON that EXPLAIN (ANALYZE, FORMAT json) gives; the fields that are used. */
interface ProfileNode {
  readonly operator_type?: string
  readonly operator_name?: string
  readonly operator_cardinality?: number
  readonly extra_info?: Readonly<Record<string, unknown>>
  readonly children?: readonly ProfileNode[]
}

/** A statement's profile: how many rows each scan gave before anything above it looked at them. */
export class Profile {
  readonly #nodes: readonly ProfileNode[]
  readonly #roots: readonly ProfileNode[]
  constructor(json: string) {
    const root = JSON.parse(json) as ProfileNode
    this.#nodes = flatten(root)
    this.#roots = root.children?.[0]?.children ?? []
  }
  /** Out of the result of an EXPLAIN (ANALYZE, FORMAT json). */
  static of(result: Result): Profile {
    const chunk = bindings.result_get_chunk(result, 0)
    const vector = bindings.data_chunk_get_vector(chunk, 1)
    const entry = bindings.vector_get_data(vector, 16)
    const size = new DataView(entry.buffer, entry.byteOffset).getUint32(0, true)
    const bytes = bindings.get_data_from_pointer(entry.buffer as ArrayBuffer, entry.byteOffset + 8, size)
    return new Profile(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'))
  }

  /**
   * Rows that the scan delivered, or undefined where the profile can't say: the scan is not there (a filter that is always false), some
   * of its files were skipped, it is there twice, it gave nothing (a join whose other side was empty never asks), or a LIMIT may have
   * stopped it early.
   */
  rowsOf(signature: ScanSignature): number | undefined {
    if (this.#nodes.some((node) => node.operator_type?.includes('LIMIT'))) return undefined
    const scans = this.#nodes.filter((node) => matches(node, signature))
    const rows = scans.length === 1 ? scans[0]!.operator_cardinality : undefined
    return rows === 0 ? undefined : rows
  }

  /** Rows that the whole statement gave (of a CREATE TABLE AS or COPY: that it stored). */
  get rows(): number {
    const top = this.#roots[0]
    const stores = top?.operator_type !== undefined && /CREATE_TABLE_AS|COPY_TO_FILE|INSERT/.test(top.operator_type)
    return (stores ? top?.children?.[0] : top)?.operator_cardinality ?? 0
  }
}

function flatten(node: ProfileNode): ProfileNode[] {
  return [node, ...(node.children ?? []).flatMap(flatten)]
}
function matches(node: ProfileNode, signature: ScanSignature): boolean {
  const info = node.extra_info ?? {}
  return (
    info['Function'] === signature.reader &&
    info['Filename(s)'] === signature.files &&
    Number(info['Total Files Read']) === signature.fileCount
  )
}

export function signatureOf(reader: string, paths: readonly string[]): ScanSignature {
  return { reader, files: paths.slice(0, 5).join(', ') + (paths.length > 5 ? ', ...' : ''), fileCount: paths.length }
}

/** The rows that a statement has read of a scan; undefined where its profile does not tell. */
export function sumOf(scan: FileScan, profile: Profile): number | undefined {
  if (scan.count.kind !== 'profile') return undefined
  let sum = 0
  for (const signature of scan.count.signatures) {
    const rows = profile.rowsOf(signature)
    if (rows === undefined) return undefined
    sum += rows
  }
  return sum
}
