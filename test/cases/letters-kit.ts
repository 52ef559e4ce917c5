import { type Field, type QueryProgress, type Row, Schema, type Source, type SourceProvider } from 'millrace'
import { expect } from 'vitest'

const origin = ['topic', 'partition', 'offset', 'value']
/** A format whose source says where its rows are from: the columns value, topic, partition, offset and `more`. */
export function tellingSource(
  format: string,
  more: readonly Field[],
  { latestOffset, rows }: Pick<Source, 'latestOffset' | 'rows'>,
): SourceProvider {
  return {
    formats: [format],
    originColumns: origin,
    schemaOf: () =>
      new Schema([
        { name: 'value', type: 'binary', nullable: true },
        { name: 'topic', type: 'string', nullable: false },
        { name: 'partition', type: 'int', nullable: false },
        { name: 'offset', type: 'long', nullable: false },
        ...more,
      ]),
    open: async ({ schema }) => ({
      schema,
      description: format,
      originColumns: origin,
      readLimit: { kind: 'all' },
      latestOffset,
      rows,
      commit: async () => {},
      stop: async () => {},
    }),
  }
}

/** The format `topical`: a source that says where its rows are from, with these values from offset 70 on, a second apart. */
export function topical(...texts: readonly string[]): SourceProvider {
  return tellingSource('topical', [{ name: 'timestamp', type: 'timestamp', nullable: false }], {
    latestOffset: async () => 1,
    rows: async () => ({
      kind: 'objects',
      rows: texts.map((text, i) => ({
        value: Buffer.from(text),
        topic: 'clicks',
        partition: 2,
        offset: BigInt(i + 70),
        timestamp: new Date((i + 10) * 1000),
      })),
    }),
  })
}

/** The books of a place that loses rows to dead letters only. */
export function account(at: string, rowsIn: number, deadLetters: number) {
  return { at, rowsIn, rowsOn: rowsIn - deadLetters, lateRows: 0, deadLetters }
}

/** Runs a stream over all that is there. What its letters say of the rows, and how many went on; the books must balance. */
export async function keepingLetters(
  frame: any,
  checkpoint: string,
  {
    sink = (writer: any) => writer.format('noop'),
    mode = 'append',
    limits = {},
  }: { readonly sink?: (writer: any) => any; readonly mode?: string; readonly limits?: object } = {},
): Promise<{ readonly letters: readonly Row[]; readonly rowsOn: number; readonly progresses: readonly QueryProgress[] }> {
  const letters: Row[] = []
  const query = await sink(frame.writeStream.outputMode(mode).trigger({ availableNow: true }).option('checkpointLocation', checkpoint))
    .deadLetters((found: any) => found.output.foreachBatch(async (some: any) => void letters.push(...(await some.collect()))), limits)
    .start()
  await query.awaitTermination()
  const progresses = query.recentProgress.filter((each: QueryProgress) => !each.isIdle) as QueryProgress[]
  for (const { books, balance } of progresses)
    for (const { rowsIn, rowsOn, lateRows, deadLetters } of [...books!, balance!]) expect(rowsOn + lateRows + deadLetters).toBe(rowsIn)
  const sum = (key: 'rowsOn' | 'deadLetters') => progresses.reduce((total, { balance }) => total + balance![key], 0)
  expect(sum('deadLetters')).toBe(letters.length)
  return { letters, rowsOn: sum('rowsOn'), progresses }
}

/** The bytes of a letter, or of a cell, as text. */
export function textOf(raw: unknown): string | null {
  return raw === null ? null : Buffer.from(raw as Uint8Array).toString()
}
