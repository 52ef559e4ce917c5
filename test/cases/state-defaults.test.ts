import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemoryStream, plannedQueries, t } from 'millrace'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { useEngine } from './harness.ts'

const engine = useEngine({ print: () => {} })
let checkpoint: string
beforeEach(async () => {
  checkpoint = await mkdtemp(join(tmpdir(), 'millrace-defaults-'))
})
afterEach(() => rm(checkpoint, { recursive: true, force: true }))

/** A count a key, in a state of `n` and, in the changed query, `unit`. */
function place() {
  const input = new MemoryStream(engine(), { k: t.string() })
  const grouped = input.toDF().groupBy('k')
  const output = { k: t.string(), said: t.string() }
  const original = () =>
    grouped.mapGroupsWithState(
      ({ k }, rows, state) => {
        const n = (state.getOption()?.n ?? 0) + rows.length
        state.update({ n })
        return { k, said: `${n}` }
      },
      { state: { n: t.int() }, output },
    )
  const changed = () =>
    grouped.mapGroupsWithState(
      ({ k }, rows, state) => {
        const { n, unit } = state.getOption() ?? { n: 0, unit: 'new' }
        state.update({ n: n + rows.length, unit })
        return { k, said: `${n + rows.length} ${unit}` }
      },
      { state: { n: t.int(), unit: t.string() }, output },
    )
  const start = async (frame: ReturnType<typeof original>, options: Readonly<Record<string, string>> = {}) => {
    const said: string[] = []
    const query = await frame.writeStream
      .outputMode('update')
      .trigger({ availableNow: true })
      .options({ checkpointLocation: checkpoint, ...options })
      .foreachBatch(async (rows) => {
        for (const row of await rows.collect()) said.push(`${row.k}: ${row.said}`)
      })
      .start()
    await query.awaitTermination()
    return said.sort()
  }
  return { input, original, changed, start }
}

test('what a function keeps: a field that is never null gets its default by its name', async () => {
  const { input, original, changed, start } = place()
  input.addData({ k: 'a' }, { k: 'b' })
  expect(await start(original())).toEqual(['a: 1', 'b: 1'])
  input.addData({ k: 'a' }, { k: 'c' })
  await expect(start(changed())).rejects.toMatchObject({
    code: 'STATE_STORE_VALUE_SCHEMA_NOT_COMPATIBLE',
    todo: expect.stringContaining('stateDefaults'),
  })
  expect(await start(changed(), { stateDefaults: '{"unit": "old"}' })).toEqual(['a: 2 old', 'c: 1 new'])
  input.addData({ k: 'b' })
  expect(await start(changed())).toEqual(['b: 2 old'])
})

describe('before anything is written', () => {
  test.each([
    ['a default of another type', { stateDefaults: '{"unit": 5}' }, 'INVALID_STATE_DEFAULT'],
    ['more partitions than key groups', { stateDefaults: '{"unit": "old"}', 'spark.sql.shuffle.partitions': '129' }, 'INVALID_PARTITIONS'],
  ])('%s is refused by a start, and millrace plan says so', async (_, options, code) => {
    const { input, original, changed, start } = place()
    input.addData({ k: 'a' })
    await start(original())
    const there = await readdir(checkpoint, { recursive: true })
    process.env['MILLRACE_PLAN'] = 'true'
    try {
      const planned = plannedQueries().length
      await expect(start(changed(), options)).rejects.toMatchObject({ code })
      expect(plannedQueries()).toHaveLength(planned)
    } finally {
      delete process.env['MILLRACE_PLAN']
    }
    expect(await readdir(checkpoint, { recursive: true })).toEqual(there)
    await expect(start(changed(), options)).rejects.toMatchObject({ code })
    expect((await readdir(join(checkpoint, 'state'), { recursive: true })).filter((name) => name.includes('_schema/'))).toHaveLength(1)
  })
})
