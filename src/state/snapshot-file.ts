/** A snapshot: the state of one operator in a range of key groups at one version, as a Parquet file that other tools can read. */
import type { StateSchema } from '../data/state-schema.ts'
import type { ByteWriter } from './byte-writer.ts'
import { enterRows, type GroupRows, type KeyGroup, reserveGroup } from './key-group.ts'
import { ParquetWriter, parquetColumn, readParquet } from './parquet-file.ts'
import { decodeColumnPage, decodeIdPage, encodeColumnPage, encodeIdPage, encodeNumberPage } from './record-pages.ts'
import type { StoreId } from './state-files.ts'

/** Whose state a snapshot holds; in the file as the property `millrace`, with the rows of each group. */
export interface SnapshotHeader {
  readonly queryId: string
  readonly operatorId: StoreId
  readonly version: number
  readonly epoch: number
  readonly schemaId: number
  readonly keyGroups: number
}

/** Columns before the user's: the key's 128-bit identity and its group. */
const idName = '_key_id'
const groupName = '_key_group'

/** Writes the groups' rows into `writer`, which is cleared first, a page a step; `scratch` is for the page. The rows must stay as they are until the end. */
export function* encodeSnapshot(
  writer: ByteWriter,
  scratch: ByteWriter,
  header: SnapshotHeader,
  schema: StateSchema,
  groups: readonly GroupRows[],
): Generator<void, void> {
  const filled = groups.filter((group) => group.rows > 0)
  const counts = filled.map((group) => group.rows)
  const file = new ParquetWriter(writer)
  const bytes16 = { ...parquetColumn(idName, 'binary', false), physical: 'fixed', width: 16 } as const
  yield* file.column(bytes16, counts, (i) => [encodeIdPage(scratch, filled[i]!)])
  yield* file.column(parquetColumn(groupName, 'int', false), counts, (i) => [encodeNumberPage(scratch, filled[i]!.number, counts[i]!)])
  const names = distinctNames(schema)
  const fields = [...schema.keys, ...schema.values]
  for (const [c, { type, nullable }] of fields.entries()) {
    yield* file.column(parquetColumn(names[c]!, type, nullable), counts, (i) =>
      encodeColumnPage(scratch, filled[i]!, filled[i]!.layout.columns[c]!, nullable),
    )
  }
  const properties = { ...header, groups: filled.map((group) => [group.number, group.rows]) }
  file.end(
    counts.reduce((sum, rows) => sum + rows, 0),
    { millrace: JSON.stringify(properties) },
  )
}

/** The user's column names, told apart where two are the same but for case or clash with ours. */
function distinctNames(schema: StateSchema): string[] {
  const taken = new Set([idName, groupName])
  return [...schema.keys, ...schema.values].map(({ name }) => {
    let free = name
    for (let n = 1; taken.has(free.toLowerCase()); n++) free = `${name}_${n}`
    taken.add(free.toLowerCase())
    return free
  })
}

/** Puts the rows of the groups that are `wanted` (empty so far) into them. Throws where the file is not one of ours for them. */
export function decodeSnapshot(
  content: Uint8Array,
  expected: SnapshotHeader,
  schema: StateSchema,
  groups: readonly KeyGroup[],
  wanted: (group: number) => boolean,
): void {
  const { properties, columns } = readParquet(content)
  const { groups: counts, ...header } = JSON.parse(properties.get('millrace') ?? '{}') as SnapshotHeader & { groups: [number, number][] }
  for (const key of Object.keys(expected) as (keyof SnapshotHeader)[]) {
    if (header[key] !== expected[key]) throw new Error(`its ${key} is ${header[key]}, and not ${expected[key]}`)
  }
  const fields = [...schema.keys, ...schema.values]
  if (counts.length > 0 && columns.length !== fields.length + 2)
    throw new Error(`it has ${columns.length} columns, and not ${fields.length + 2}`)
  counts.forEach(([number, rows], page) => {
    if (!wanted(number)) return
    const group = groups[number]!
    reserveGroup(group, rows)
    group.rows = rows
    decodeIdPage(group, columns[0]!.pages[page]!.content, rows)
    fields.forEach(({ nullable }, c) =>
      decodeColumnPage(group, group.layout.columns[c]!, nullable, columns[c + 2]!.pages[page]!.content, rows),
    )
    enterRows(group, 0)
  })
}
