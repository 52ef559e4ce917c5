/** docs/functions.md, made of the function table and of the examples: what each function does, with a value that real Spark gave. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { functionFamilies } from '../../src/plan/functions.ts'
import { ranking } from '../../src/plan/window-names.ts'
import type { Encoded } from './encode.ts'
import type { Example, FunctionExamples } from './examples/example.ts'
import { families } from './examples/index.ts'

const titles: Readonly<Record<string, string>> = {
  operators: 'Operators',
  conditional: 'Conditions, nulls and NaN',
  math: 'Numbers',
  bitwise: 'Bits',
  strings: 'Text and binary',
  regexp: 'Patterns',
  url: 'URLs',
  hash: 'Digests and hashes',
  json: 'JSON',
  csv: 'CSV',
  datetime: 'Dates and times',
  intervals: 'Intervals',
  collections: 'Arrays, maps and structs',
  'higher-order': 'Functions that take functions',
  casts: 'Casts',
  aggregates: 'Aggregates',
  misc: 'Others',
}

// `npm run golden` writes the page anew.
test('docs/functions.md lists every function', async () => {
  await expect(page()).toMatchFileSnapshot('../../docs/functions.md')
})

test('every family of the function table has examples', () => {
  const without = Object.entries(functionFamilies).filter(([name, rows]) => !(name in families) && rows.some((row) => !row.internal))
  expect(without.map(([name]) => name)).toEqual([])
})

function page(): string {
  const shown = Object.entries(families).filter(([name]) => name in functionFamilies)
  const count = shown.reduce((sum, [, functions]) => sum + functions.length, 0)
  return `# Functions

The ${count} functions and operators of Spark SQL that run on the local engine, under Spark's names: as text in \`expr('…')\`, \`selectExpr\` and conditions, and as typed functions of TypeScript with the same names (\`if\` and \`typeof\`, which are words of the language, are \`iff\` and \`typeOf\`; operators are methods of a column). Each has examples whose values come from Spark 4.2.0 in ANSI mode, one of which is shown; all of them run on the local engine in the tests (\`test/functions\`). What differs from Spark is in [differences.md](differences.md). Regular expressions are Java's; \`\\G\`, \`\\X\` and atomic or possessive parts with groups inside are refused.

This page is made of the function table and its examples.
${shown.map(([name, functions]) => section(name, functions)).join('')}
## Windows of rows
Before \`OVER (PARTITION BY … ORDER BY …)\`, or with \`.over(Window.partitionBy(…).orderBy(…))\`: ${Object.keys(ranking)
    .map((name) => `\`${name}\``)
    .join(', ')}, and every aggregate. Their examples are among the queries of \`test/sql\`.
`
}

function section(family: string, functions: readonly FunctionExamples[]): string {
  const answers = JSON.parse(readFileSync(join(import.meta.dirname, `expected/${family}.json`), 'utf8')) as { examples: Answer[] }
  const rows = functions.map((each) => {
    const aliases = functionFamilies[family]!.find((row) => row.name === each.name)?.aliases ?? []
    const also = aliases.length === 0 ? '' : ` Also ${aliases.map((alias) => `\`${cell(alias)}\``).join(', ')}.`
    return `| \`${cell(each.signature)}\` | ${cell(each.does)}${also} | ${exampleText(each.examples, answers.examples)} |`
  })
  return `
## ${titles[family] ?? family}

| function | what it does | example |
| --- | --- | --- |
${rows.join('\n')}
`
}

interface Answer {
  readonly sql: string
  readonly from?: string
  readonly type?: string
  readonly value?: Encoded
}
/** The first example that has a value and does not differ. */
function exampleText(examples: readonly Example[], answers: readonly Answer[]): string {
  for (const example of examples) {
    if (example.differs !== undefined || (example as { by?: unknown }).by !== undefined) continue
    const answer = answers.find((each) => each.sql === example.sql && each.from === example.from && each.value !== undefined)
    if (answer?.value == null) continue
    const from = example.from === undefined ? '' : ` FROM ${example.from}`
    return `\`${cell(`${example.sql}${from}`)}\` is \`${cell(JSON.stringify(answer.value))}\``
  }
  return ''
}
function cell(text: string): string {
  return text.replaceAll('\n', ' ').replaceAll('|', '\\|').replaceAll('`', "'")
}
