import { expect, test } from 'vitest'
import { type QueryShape, shapeOf } from '../src/checkpoint/query-shape.ts'
import { compareShapes, type RestartRule, restartRefusal, restartRules } from '../src/checkpoint/restart-rules.ts'

// What real restarts do is in cases/restart.test.ts. `npm run golden` writes the page anew.
test('docs/restart.md lists every rule', async () => {
  await expect(restartPage()).toMatchFileSnapshot('../docs/restart.md')
})

const shape: QueryShape = {
  sources: [{ name: '0', format: 'json', path: '/in', columns: [{ name: 'a', type: 'int' }] }],
  sink: { format: 'json', path: '/out' },
  outputMode: 'update',
  columns: [{ name: 'n', type: 'bigint' }],
  watermarks: [{ column: 'at', delayMs: 1000 }],
  operators: [
    {
      operatorId: 0,
      operator: 'aggregate',
      keys: [{ name: 'a', type: 'int' }],
      values: [{ name: 'n', type: 'bigint by sum' }],
      groupedBy: ['a'],
      computes: ['count(1)'],
      functions: ['count'],
    },
  ],
}
const rulesOf = (now: QueryShape) => compareShapes(shape, now).map(({ rule }) => rule)

test('the same query has changed in nothing', () => {
  expect(rulesOf(structuredClone(shape))).toEqual([])
})

test('an operator that became another one is one change, and refused by both names', () => {
  const found = [{ rule: 'operator-changed' as const, what: 'operator 0 was aggregate 0 by a and is deduplicate 0 by a' }]
  const refusal = restartRefusal(compareShapes(shape, shape, found), '/checkpoint')
  expect(refusal?.code).toBe('STREAMING_STATEFUL_OPERATOR_NOT_MATCH_IN_STATE_METADATA')
  expect(refusal?.message).toMatch(/aggregate 0 by a.*deduplicate 0 by a/)
})

test('an output mode without state means nothing to the checkpoint', () => {
  const stateless = { ...shape, operators: [] }
  expect(compareShapes(stateless, { ...stateless, outputMode: 'append' })).toEqual([])
})

test('several refusals are told together, under the code of the first', () => {
  const now = { ...shape, sources: [{ ...shape.sources[0]!, format: 'csv' }], sink: { format: 'json', path: '/elsewhere' } }
  const refusal = restartRefusal(compareShapes(shape, now), '/checkpoint')
  expect(refusal?.code).toBe('STREAMING_SOURCES_CHANGED')
  expect(refusal?.message).toMatch(/json and is csv; .*\/out.*\/elsewhere/)
})

test('what is refused has a code and says what to do; what is not has neither', () => {
  for (const [name, rule] of Object.entries<RestartRule>(restartRules))
    expect([name, rule.code !== undefined, rule.todo !== undefined]).toEqual([name, rule.verdict === 'refused', rule.verdict === 'refused'])
})

test('a record of another release may hold no shape, or something else', () => {
  for (const value of [undefined, null, 5, {}, { ...shape, operators: undefined }, { ...shape, sink: null }])
    expect(shapeOf(value)).toBeUndefined()
  expect(shapeOf(JSON.parse(JSON.stringify(shape)))).toEqual(shape)
})

function restartPage(): string {
  const verdicts = {
    allowed: 'yes',
    told: 'yes, with a notice',
    migrated: 'yes, the state is migrated',
    rebuilt: 'yes, without the state',
    refused: 'no',
  }
  const rows = Object.values<RestartRule>(restartRules).map(
    ({ change, verdict, because, code, todo }) =>
      `| ${change} | ${verdicts[verdict]} | ${because} | ${code ? `\`${code}\`: ${todo}` : ''} |`,
  )
  return `# Restart with a changed query

A start on a checkpoint is compared with the run before it, whose shape is in \`runs/<epoch>\` (sources, sink, output mode, watermarks), and its stateful operators with the state itself, as the last committed batch left it. A refusal names all that changed, the old and the new, before anything is written. Before the first batch was planned a query may change altogether.

| what changed | allowed | because | in place of it |
| --- | --- | --- | --- |
${rows.join('\n')}

What is not in the table may change freely: filters, expressions of a projection that gives the same columns, rate limits and other options of a source, options of the sink, user functions, the trigger, the number of partitions, the query's name. Configuration that the checkpoint pins ([configuration.md](configuration.md)) keeps the value that it began with, and a start that asks for another is told so.

A batch that was planned and not committed is run again by the new query, over the rows that the old one planned. A source whose rows such a batch needs cannot be removed yet: let the old query commit it first (trigger \`availableNow\`).

How state is migrated, what results then mean, what a rollback does, and how to deploy what is refused: [state-changes.md](state-changes.md). \`millrace plan app.ts\` says all of it before anything runs.
`
}
