import { deepStrictEqual, ok, rejects } from 'node:assert/strict'
import { MillraceError } from '../base/errors.ts'
import type { SourceBatch } from '../data/source-batch.ts'
import { columnsToRows } from '../data/values.ts'
import type { Offset, ReadLimit, Source } from '../sources/source.ts'
import { type ConformanceCheck, checksOf } from './conformance.ts'

/** What the suite needs to know about one source. A new fixture has no data and no checkpoint. */
export interface SourceFixture {
  /** Opens the source; when called again, as a restart over the same checkpoint would. */
  open(): Promise<Source>
  /** Makes some new rows available, more with each call. */
  addData(): Promise<void>
  /** The smallest limit that the source knows, which two calls of addData exceed. */
  readonly limit?: ReadLimit
  /** The rows of a batch, each as any JSON text. Needed for `sql` batches; the others have a default (files count as their own row). */
  rowsOf?(batch: SourceBatch): Promise<readonly string[]>
  close?(): Promise<void>
}

/**
 * What every Source must do, as checks for any test runner: `runChecks(sourceConformance(make), { test, skip: test.skip })`.
 * `skips`: name of a check → why it does not apply.
 */
export function sourceConformance(make: () => Promise<SourceFixture>, skips: Readonly<Record<string, string>> = {}): ConformanceCheck[] {
  return checksOf(checks, make, skips)
}

const all: ReadLimit = { kind: 'all' }

const checks: Readonly<Record<string, (fixture: SourceFixture) => Promise<void>>> = {
  async 'before the first data there is nothing to read'(fixture) {
    const source = await fixture.open()
    ok((await source.latestOffset(null, all)) == null, 'latestOffset(null) gives null')
  },

  async 'a source describes itself'(fixture) {
    const source = await fixture.open()
    ok(source.description.length > 0, 'description is not empty')
    ok(source.schema.fields.length > 0, 'schema has columns')
  },

  async 'new data move the offset, and no new data leave it where it is'(fixture) {
    const source = await fixture.open()
    await fixture.addData()
    const first = await advance(source, null)
    ok(sameOffset(await source.latestOffset(first, all), first), 'nothing new: the start comes back')
    await fixture.addData()
    const second = await advance(source, first)
    ok(!sameOffset(second, first), 'the offset moved')
  },

  async 'asking again from the same start loses nothing and doubles nothing'(fixture) {
    const source = await fixture.open()
    await fixture.addData()
    const once = await advance(source, null)
    const before = await read(fixture, source, null, once)
    await fixture.addData()
    const again = await advance(source, null)
    const rest = await source.latestOffset(again, all)
    const both = await read(fixture, source, null, rest ?? again)
    ok(
      before.every((row) => both.includes(row)),
      'the rows of the first answer are in the second',
    )
    deepStrictEqual(unique(both), both, 'no row comes twice')
  },

  async 'an offset is plain JSON'(fixture) {
    const source = await fixture.open()
    await fixture.addData()
    const end = await advance(source, null)
    deepStrictEqual(await read(fixture, source, null, JSON.parse(JSON.stringify(end))), await read(fixture, source, null, end))
  },

  async 'the same offsets give the same rows again'(fixture) {
    const source = await fixture.open()
    await fixture.addData()
    const first = await advance(source, null)
    await fixture.addData()
    const second = await advance(source, first)
    const rows = [await read(fixture, source, null, first), await read(fixture, source, first, second)]
    ok(
      rows.every((each) => each.length > 0),
      'both batches have rows',
    )
    deepStrictEqual([await read(fixture, source, null, first), await read(fixture, source, first, second)], rows)
  },

  async 'after a restart the same offsets give the same rows'(fixture) {
    const source = await fixture.open()
    await fixture.addData()
    const first = await advance(source, null)
    await fixture.addData()
    const second = await advance(source, first)
    const rows = await read(fixture, source, first, second)
    await source.commit(first)
    await source.stop()
    const restarted = await fixture.open()
    deepStrictEqual(await read(fixture, restarted, first, second), rows)
    ok(sameOffset(await restarted.latestOffset(second, all), second), 'and nothing comes a second time')
  },

  async 'a crash before the offset was used neither loses nor doubles rows'(fixture) {
    await fixture.addData()
    const source = await fixture.open()
    await advance(source, null) // written down nowhere: the process dies
    await fixture.addData()
    const restarted = await fixture.open()
    const found = await readAll(fixture, restarted, null, all)
    await fixture.addData()
    const rest = await readAll(fixture, restarted, found.end, all)
    const control = await fixture.open()
    deepStrictEqual(
      [...found.rows, ...rest.rows].sort(),
      await read(fixture, control, null, rest.end),
      'the batches are cut from the whole',
    )
    deepStrictEqual(unique([...found.rows, ...rest.rows]).length, found.rows.length + rest.rows.length, 'no row comes twice')
  },

  async 'batches are cut from the whole, whatever restarts lie between'(fixture) {
    let source = await fixture.open()
    let start: Offset | null = null
    const rows: string[] = []
    const offsets: (Offset | null)[] = [null]
    for (let i = 0; i < 12; i++) {
      if (i % 3 !== 2) await fixture.addData()
      if (i % 4 === 3) {
        await source.stop()
        source = await fixture.open()
      }
      const end: Offset | null = await source.latestOffset(start, fixture.limit ?? all)
      if (end == null || sameOffset(end, start)) continue
      if (start !== null) await source.commit(start)
      rows.push(...(await read(fixture, source, start, end)))
      start = end
      offsets.push(end)
    }
    const rest = await readAll(fixture, source, start, all)
    rows.push(...rest.rows)
    ok(offsets.length > 3, 'there were several batches')
    deepStrictEqual(unique(rows).length, rows.length, 'no row comes twice')
    ok(rows.length > 0)
    const [before, last] = offsets.slice(-2)
    ok(
      (await read(fixture, source, before!, last!)).every((row) => rows.includes(row)),
      'a replay of the last batch gives rows of the whole',
    )
  },

  async 'commit may be repeated, left out, and come late'(fixture) {
    const source = await fixture.open()
    await fixture.addData()
    const first = await advance(source, null)
    await fixture.addData()
    const second = await advance(source, first)
    await fixture.addData()
    const third = await advance(source, second)
    const rows = await read(fixture, source, second, third)
    await source.commit(second) // first was left out
    await source.commit(second)
    deepStrictEqual(await read(fixture, source, second, third), rows)
  },

  async 'a limit is kept, and is never so small that nothing moves'(fixture) {
    ok(fixture.limit, 'the fixture has a limit')
    const source = await fixture.open()
    for (let i = 0; i < 4; i++) await fixture.addData()
    const limited = await readAll(fixture, source, null, fixture.limit)
    ok(limited.batches > 1, `the limit cut the data into several batches, not ${limited.batches}`)
    const control = await fixture.open()
    deepStrictEqual(limited.rows.slice().sort(), await read(fixture, control, null, limited.end), 'together they are everything')
  },

  async 'AvailableNow reads what was there at its start and nothing newer'(fixture) {
    const source = await fixture.open()
    ok(source.prepareForAvailableNow, 'the source knows AvailableNow')
    await fixture.addData()
    await fixture.addData()
    await source.prepareForAvailableNow()
    await fixture.addData()
    const run = await readAll(fixture, source, null, fixture.limit ?? all)
    ok(run.rows.length > 0, 'it read something')
    ok(sameOffset(await source.latestOffset(run.end, all), run.end), 'it has come to an end')
    await source.stop()
    const next = await fixture.open()
    const rest = await readAll(fixture, next, run.end, all)
    ok(rest.rows.length > 0, 'what came later is there for the next run')
    deepStrictEqual(unique([...run.rows, ...rest.rows]).length, run.rows.length + rest.rows.length, 'no row comes twice')
  },

  async 'an offset of another kind is refused'(fixture) {
    const source = await fixture.open()
    await fixture.addData()
    await rejects(async () => source.latestOffset({ 'no source': ['has', 'such'] }, all), MillraceError)
  },

  async 'stop may be called twice'(fixture) {
    const source = await fixture.open()
    await source.stop()
    await source.stop()
  },
}

async function advance(source: Source, start: Offset | null): Promise<Offset> {
  const end = await source.latestOffset(start, all)
  ok(end != null && !sameOffset(end, start), 'there is something new')
  return end
}

/** Takes batches until nothing is left; gives up where a source always has more. */
async function readAll(fixture: SourceFixture, source: Source, from: Offset | null, limit: ReadLimit) {
  const rows: string[] = []
  let end = from
  let batches = 0
  for (; batches < 100; batches++) {
    const next = await source.latestOffset(end, limit)
    if (next == null || sameOffset(next, end)) break
    rows.push(...(await read(fixture, source, end, next)))
    end = next
  }
  return { rows, end, batches }
}

/** Sorted: the order of rows within a batch is free. */
async function read(fixture: SourceFixture, source: Source, start: Offset | null, end: Offset): Promise<string[]> {
  const batch = await source.rows(start, end)
  return [...(fixture.rowsOf ? await fixture.rowsOf(batch) : defaultRows(batch))].sort()
}

function defaultRows(batch: SourceBatch): string[] {
  switch (batch.kind) {
    case 'files':
      return batch.files.map((file) => JSON.stringify([file.path, file.sizeBytes]))
    case 'objects':
      return batch.rows.map(rowText)
    case 'columns':
      return batch.batches.flatMap(columnsToRows).map(rowText)
    case 'table-files':
      return batch.files.map((file) => JSON.stringify([file.path, file.sizeBytes]))
    case 'json-values':
    case 'sql':
      throw new Error('give the fixture a rowsOf() that runs the SQL')
  }
}
function rowText(row: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(row, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))
}

function unique(rows: readonly string[]): string[] {
  return [...new Set(rows)]
}
function sameOffset(a: Offset | null | undefined, b: Offset | null | undefined): boolean {
  return JSON.stringify(a ?? null) === JSON.stringify(b ?? null)
}
