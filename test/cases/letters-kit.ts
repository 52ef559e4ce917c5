import { Schema, type SourceProvider } from 'millrace'

const origin = ['topic', 'partition', 'offset', 'value']
/** The format `topical`: a source that says where its rows are from, with these values from offset 70 on, a second apart. */
export function topical(...texts: readonly string[]): SourceProvider {
  return {
    formats: ['topical'],
    originColumns: origin,
    schemaOf: () =>
      new Schema([
        { name: 'value', type: 'binary', nullable: true },
        { name: 'topic', type: 'string', nullable: false },
        { name: 'partition', type: 'int', nullable: false },
        { name: 'offset', type: 'long', nullable: false },
        { name: 'timestamp', type: 'timestamp', nullable: false },
      ]),
    open: async ({ schema }) => ({
      schema,
      description: 'Topical',
      originColumns: origin,
      readLimit: { kind: 'all' },
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
      commit: async () => {},
      stop: async () => {},
    }),
  }
}

/** The books of a place that loses rows to dead letters only. */
export function account(at: string, rowsIn: number, deadLetters: number) {
  return { at, rowsIn, rowsOn: rowsIn - deadLetters, lateRows: 0, deadLetters }
}
