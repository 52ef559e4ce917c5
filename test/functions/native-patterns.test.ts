import fc from 'fast-check'
import { col, expr, lit, millrace, regexp_extract, regexp_replace, rlike, t } from 'millrace'
import { afterAll, beforeAll, expect, test } from 'vitest'

/** A pattern that is a literal may run in DuckDB's own engine, one from a column runs in ours, which follows Java: both must say the same. */
let engine: Awaited<ReturnType<typeof millrace.local>>
beforeAll(async () => {
  engine = await millrace.local()
})
afterAll(() => engine.close())

const letter = fc.constantFrom('a', 'b', '&', '=', ' ', '_', '1', '-', '.')
const text = fc
  .array(fc.constantFrom('a', 'b', 'A', '&', '=', ' ', '_', '1', '-', '.', '\n', '\t', '\v', 'é', '😀'), { maxLength: 8 })
  .map((all) => all.join(''))
const set = fc
  .tuple(
    fc.boolean(),
    fc.array(fc.constantFrom('a', 'b', 'a-c', '0-9', '&', '=', '\\d', '\\w', '\\s', '_'), { minLength: 1, maxLength: 3 }),
  )
  .map(([not, members]) => `[${not ? '^' : ''}${members.join('')}]`)
const atom = fc.oneof(
  letter.map((c) => (c === '.' ? '\\.' : c)),
  set,
  fc.constantFrom('\\d', '\\w', '\\s'),
)
const quantified = fc.tuple(atom, fc.constantFrom('', '', '', '*', '+', '?', '{2}', '{1,2}', '*?', '+?')).map((parts) => parts.join(''))
const sequence = fc.array(quantified, { minLength: 1, maxLength: 3 }).map((parts) => parts.join(''))
const group = fc
  .tuple(fc.constantFrom('(', '(?:'), fc.array(sequence, { minLength: 1, maxLength: 2 }), fc.constantFrom('', '', '?', '+'))
  .map(([opening, branches, quantifier]) => `${opening}${branches.join('|')})${quantifier}`)
const pattern = fc
  .tuple(fc.constantFrom('', '', '^', '(^|&)'), fc.array(fc.oneof(sequence, group), { minLength: 1, maxLength: 3 }))
  .map(([start, parts]) => start + parts.join(''))

test('a literal pattern means what the same pattern from a column means', async () => {
  const seed = Number(process.env['MILLRACE_SEED'] ?? Date.now() % 1_000_000)
  await fc.assert(
    fc.asyncProperty(pattern, fc.array(text, { minLength: 8, maxLength: 20 }), fc.constantFrom(0, 1), async (source, texts, number) => {
      const groups = (source.match(/\((?!\?)/g) ?? []).length
      const group = Math.min(number, groups)
      const rows = engine.createDataFrame(
        texts.map((x) => ({ x, p: source })),
        { x: t.string(), p: t.string() },
      )
      const both = rows.select(({ x, p }) => ({
        x,
        matches: rlike(x, lit(source)),
        matchesToo: rlike(x, p),
        found: regexp_extract(x, source, group),
        foundToo: expr(`regexp_extract(x, p, ${group})`),
        replaced: regexp_replace(x, lit(source), '#'),
        replacedToo: regexp_replace(x, p, '#'),
      }))
      for (const row of await both.collect()) {
        expect({ source, x: row.x, matches: row.matches, found: row.found, replaced: row.replaced }).toEqual({
          source,
          x: row.x,
          matches: row.matchesToo,
          found: row.foundToo,
          replaced: row.replacedToo,
        })
      }
    }),
    { seed, numRuns: Number(process.env['MILLRACE_PATTERN_RUNS'] ?? 60) },
  )
})

test('simple patterns do run in DuckDB', () => {
  const rows = engine.createDataFrame([{ url: 'a' }], { url: t.string() })
  const text = rows
    .select(() => ({
      id: regexp_extract(col('url'), '(&|^)channel_id=([^&]*)', 2),
      by: regexp_replace(col('url'), lit('[0-9]+'), '#'),
    }))
    .explain('simple')
  expect(text).not.toContain('spark_regexp')
})

test('split_part with constants means what it means with columns', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(fc.constantFrom('a', '.', 'é', '😀'), { maxLength: 7 }), { minLength: 5, maxLength: 12 }),
      fc.array(fc.constantFrom('a', '.', 'é'), { minLength: 1, maxLength: 2 }),
      fc.constantFrom(-3, -2, -1, 1, 2, 3),
      async (texts, delimiter, number) => {
        const by = delimiter.join('')
        const rows = engine.createDataFrame(
          texts.map((parts) => ({ x: parts.join(''), by, number })),
          { x: t.string(), by: t.string(), number: t.int() },
        )
        const both = rows.select(({ x }) => ({
          x,
          own: expr(`split_part(x, '${by}', ${number})`),
          kernel: expr('split_part(x, by, number)'),
        }))
        for (const row of await both.collect()) expect([row.x, row.own]).toEqual([row.x, row.kernel])
      },
    ),
    { numRuns: 40 },
  )
})
