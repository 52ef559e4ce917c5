// The oracle of session windows: over any cut into batches, any disorder within the watermark and any restarts, the sessions are those of the batch, and those that
// a plain list of sessions gives. Rows that come too late too: against the list, since a batch knows no lateness.
import fc from 'fast-check'
import { expr, MemoryStream, t } from 'millrace'
import { addData, processAllAvailable, type StreamAction, testStream } from 'millrace/testing'
import { describe, expect, test } from 'vitest'
import { differenceOfRows } from '../../src/testing/compare-rows.ts'
import { useEngine } from '../cases/harness.ts'
import { confOf, holds, providers, type Restart, restarts, restartWith, timeout } from './property.ts'

interface Event {
  readonly k: string | null
  readonly at: number | null
  /** Seconds; with a gap for each row the row's own. */
  readonly gap: number
  readonly v: number | null
}
const event: fc.Arbitrary<Event> = fc.record({
  k: fc.option(fc.constantFrom('a', 'b', 'ü'), { nil: null, freq: 8 }),
  at: fc.option(fc.integer({ min: 1, max: 20 }), { nil: null, freq: 15 }),
  gap: fc.integer({ min: -1, max: 9 }),
  v: fc.option(fc.integer({ min: -9, max: 9 }), { nil: null, freq: 6 }),
})
const feed = fc.array(fc.record({ rows: fc.array(event, { maxLength: 9 }), lift: fc.integer({ min: 0, max: 30 }), restart: restarts() }), {
  minLength: 1,
  maxLength: 7,
})
type Feed = typeof feed extends fc.Arbitrary<infer T> ? T : never
type Block = { readonly rows: readonly Event[]; readonly restart: Restart | null }

/** Event time is on the rise, with a scatter of 20 seconds. */
function lifted(blocks: Feed): Block[] {
  let base = 0
  return blocks.map(({ rows, lift, restart }) => {
    base += lift
    return { restart, rows: rows.map((row) => ({ ...row, at: row.at === null ? null : row.at + base })) }
  })
}

interface Session {
  readonly k: string | null
  start: number
  end: number
  n: number
  total: number | null
  values: number[]
}
/** One session after the other, as a person would keep them: `add` and `close` are all there is. */
class SessionList {
  open: Session[] = []
  readonly closed: Session[] = []
  add({ k, at, v }: Event, gap: number): void {
    const session: Session = { k, start: at!, end: at! + gap, n: 1, total: v, values: v === null ? [] : [v] }
    const touching = this.open.filter((other) => other.k === k && other.start <= session.end && session.start <= other.end)
    for (const other of touching) {
      session.start = Math.min(session.start, other.start)
      session.end = Math.max(session.end, other.end)
      session.n += other.n
      session.total = other.total === null ? session.total : other.total + (session.total ?? 0)
      session.values.push(...other.values)
    }
    this.open = [...this.open.filter((other) => !touching.includes(other)), session]
  }
  close(watermark: number): void {
    this.closed.push(...this.open.filter(({ end }) => end <= watermark))
    this.open = this.open.filter(({ end }) => end > watermark)
  }
}
const rowOf = ({ k, start, end, n, total, values }: Session) => ({
  k,
  start: BigInt(start),
  end: BigInt(end),
  n: BigInt(n),
  total: total === null ? null : BigInt(total),
  list: values.map(BigInt).sort((a, b) => Number(a - b)),
  mean: values.length === 0 ? null : Math.round((values.reduce((a, b) => a + b, 0) / values.length) * 1000),
  spread: values.length < 2 ? null : Math.round(variance(values) * 1000),
})
function variance(values: readonly number[]): number {
  const mean = values.reduce((a, b) => a + b, 0) / values.length
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1)
}

const fields = { k: t.string().nullable(), at: t.timestamp().nullable(), gap: t.int(), v: t.long().nullable() }
const toRow = ({ k, at, gap, v }: Event) => ({
  k,
  at: at === null ? null : new Date(at * 1000),
  gap,
  v: v === null ? null : BigInt(v),
})
const closing: Event = { k: 'closing', at: 1_000_000, gap: 1, v: 0 }

type Untyped = any
const fixedGap = 4
const gapTexts = { 'one gap': `'${fixedGap} seconds'`, 'a gap for each row': "concat(gap, ' seconds')" }
type Gap = keyof typeof gapTexts
const gapOf = (gap: Gap, row: Event) => (gap === 'one gap' ? fixedGap : row.gap)
const isInSession = (gap: Gap, row: Event) => row.at !== null && gapOf(gap, row) > 0

function sessions(frame: Untyped, gap: Gap): Untyped {
  return frame
    .groupBy(expr(`session_window(at, ${gapTexts[gap]})`).as('s'), 'k')
    .agg(
      expr('count(*)').as('n'),
      expr('sum(v)').as('total'),
      expr('array_sort(collect_list(v))').as('list'),
      expr('CAST(round(avg(v) * 1000) AS INT)').as('mean'),
      expr('CAST(round(variance(v) * 1000) AS INT)').as('spread'),
    )
    .selectExpr('k', 'CAST(s.start AS LONG) AS start', 'CAST(s.end AS LONG) AS end', 'n', 'total', 'list', 'mean', 'spread')
}

function actionsOf(input: MemoryStream<Untyped>, blocks: readonly Block[]): StreamAction[] {
  return blocks.flatMap(({ rows, restart }) => [
    addData(input as Untyped, ...(rows.map(toRow) as never[])),
    processAllAvailable(),
    ...restartWith(restart),
  ])
}
const isData = (row: Record<string, unknown>) => row['k'] !== 'closing'

describe.each(providers)('%s', (provider) => {
  const engine = useEngine({ conf: confOf(provider) })

  test.each(Object.keys(gapTexts) as Gap[])('append, nothing late, %s', { timeout }, async (gap) => {
    await holds(
      feed,
      async (generated) => {
        const blocks = [...lifted(generated), { rows: [closing], restart: null }]
        const rows = blocks.flatMap((block) => block.rows)
        const list = new SessionList()
        for (const row of rows) if (isInSession(gap, row)) list.add(row, gapOf(gap, row))
        const expected = list.open.map(rowOf).filter(isData)
        const batch: Record<string, unknown>[] = await sessions(engine().createDataFrame(rows.map(toRow), fields), gap).collect()
        expect(differenceOfRows(batch.filter(isData), expected)).toBeNull()
        const input = new MemoryStream(engine(), fields)
        await testStream(sessions((input.toDF() as Untyped).withWatermark('at', '20 seconds'), gap), [
          ...actionsOf(input, blocks),
          {
            name: 'compare with the list',
            async run(running) {
              await running.settle()
              expect(differenceOfRows(running.sink.allRows.filter(isData), expected)).toBeNull()
            },
          },
        ])
      },
      6,
    )
  })

  test.each(Object.keys(gapTexts) as Gap[])('append, with late rows, %s', { timeout }, async (gap) => {
    await holds(
      feed,
      async (generated) => {
        const blocks = [...lifted(generated), { rows: [closing], restart: null }]
        const list = new SessionList()
        let watermark = 0
        for (const { rows } of blocks) {
          for (const row of rows) if (isInSession(gap, row) && row.at! + gapOf(gap, row) > watermark) list.add(row, gapOf(gap, row))
          // a row without a time counts as of 1970 here
          watermark = Math.max(watermark, ...rows.map((row) => (row.at ?? 0) - 6))
          list.close(watermark)
        }
        const input = new MemoryStream(engine(), fields)
        await testStream(sessions((input.toDF() as Untyped).withWatermark('at', '6 seconds'), gap), [
          ...actionsOf(input, blocks),
          {
            name: 'compare with the list',
            async run(running) {
              await running.settle()
              expect(differenceOfRows(running.sink.allRows.filter(isData), list.closed.map(rowOf).filter(isData))).toBeNull()
            },
          },
        ])
      },
      6,
    )
  })

  test('complete: the whole table after every batch', { timeout }, async () => {
    await holds(
      feed,
      async (generated) => {
        const blocks = lifted(generated)
        const input = new MemoryStream(engine(), fields)
        const actions = blocks.flatMap((block, i): StreamAction[] => [
          ...actionsOf(input, [block]),
          {
            name: 'compare with the batch',
            async run(running) {
              await running.settle()
              const rows = blocks.slice(0, i + 1).flatMap((each) => each.rows.map(toRow))
              const expected = await sessions(engine().createDataFrame(rows, fields), 'one gap').collect()
              if (block.rows.length > 0) expect(differenceOfRows(running.sink.lastBatch, expected)).toBeNull()
            },
          },
        ])
        await testStream(sessions(input.toDF(), 'one gap'), { outputMode: 'complete' }, actions)
      },
      4,
    )
  })
})
