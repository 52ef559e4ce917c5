import { InvalidQueryError } from '../base/errors.ts'
import type { OffsetEntry } from '../checkpoint/checkpoint.ts'
import { isNamed } from '../checkpoint/query-shape.ts'
import type { Offset, ReadLimit, Source } from '../sources/source.ts'

type Sources = ReadonlyMap<string, Source>

/** STREAMING_SOURCES_CHANGED: sources without a name go by their place; those with one may come and go. The run before may have left no shape to compare with. */
export function checkSources(entry: OffsetEntry, sources: Sources, folder: string): void {
  const [now, then] = [[...sources.keys()], Object.keys(entry.sources)].map((names) => names.filter((name) => !isNamed(name)).sort())
  if (now!.join('\n') === then!.join('\n')) return
  throw new InvalidQueryError('STREAMING_SOURCES_CHANGED', {
    what: `the checkpoint ${folder} was written by a query with the sources [${Object.keys(entry.sources).join(', ')}], and this one has [${[...sources.keys()].join(', ')}]`,
    todo: 'give the query the sources it had, or start it with a new checkpointLocation',
  })
}

/** STREAMING_SOURCES_CHANGED: the batch that is run again counts all rows that it was planned with. */
export function checkReplayedSources(
  batchId: number,
  entry: OffsetEntry,
  sources: Sources,
  before: Readonly<Record<string, Offset | null>>,
): void {
  const lost = Object.keys(entry.sources).find((name) => !sources.has(name) && !sameOffset(entry.sources[name], before[name]))
  if (lost === undefined) return
  throw new InvalidQueryError('STREAMING_SOURCES_CHANGED', {
    what: `batch ${batchId} was planned with rows of the source ${lost}, was not committed, and the query has that source no more`,
    todo: 'start the query with the source until that batch is committed (trigger availableNow does), then remove it',
  })
}

/** Where sources stand before their first batch. */
export function noOffsets(sources: Sources): Record<string, null> {
  return Object.fromEntries([...sources.keys()].map((name) => [name, null]))
}

/** How far each source goes in the batch that starts there. */
export async function latestOffsets(
  sources: Sources,
  start: Readonly<Record<string, Offset | null>>,
  limitOf: (name: string, source: Source) => ReadLimit,
): Promise<Record<string, Offset | null>> {
  const end: Record<string, Offset | null> = {}
  for (const [name, source] of sources) {
    end[name] = (await source.latestOffset(start[name] ?? null, limitOf(name, source))) ?? start[name] ?? null
  }
  return end
}

export function sameOffset(a: Offset | null | undefined, b: Offset | null | undefined): boolean {
  return canonical(a) === canonical(b)
}

/** JSON with object keys in order, so that equal offsets have equal texts. */
function canonical(value: unknown): string {
  return JSON.stringify(value ?? null, (_key, part: unknown) =>
    part && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  )
}
