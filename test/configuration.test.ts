import { availableParallelism } from 'node:os'
import { expect, test } from 'vitest'
import type { ConfRule } from '../src/runtime/conf-keys/conf-key.ts'
import { confFamilies, confRules, ruleOf } from '../src/runtime/conf-keys/rules.ts'
import spark from './spark-4.2/conf-keys.json' with { type: 'json' }

// `npm run golden` writes the page anew.
test('docs/configuration.md lists every key', async () => {
  await expect(configurationPage()).toMatchFileSnapshot('../docs/configuration.md')
})

test('every public key of Spark 4.2 has a rule', () => {
  expect(spark.filter(([key]) => ruleOf(key as string) === undefined)).toEqual([])
})

test('a rule by the beginning of keys gives its reason, and reads nothing', () => {
  const wrong = Object.entries(confRules).filter(([key, rule]) => key.endsWith('*') && rule.kind === 'works')
  expect(wrong).toEqual([])
})

test('a key that stands for one behaviour stands for the one that Spark has unless told otherwise', () => {
  const values = new Map(spark.map(([key, value]) => [key as string, value as string]))
  const other = Object.entries(confRules).flatMap(([key, rule]) => {
    const theirs = values.get(key)
    if (rule.kind !== 'fixed' || theirs === undefined || theirs === '<undefined>') return []
    return rule.values.some((each) => each.toLowerCase() === theirs.toLowerCase()) ? [] : [key]
  })
  expect(other).toEqual([])
})

test('what Spark refuses to change while it runs, Millrace takes with the engine alone', () => {
  const statics = spark.filter(([, , isModifiable]) => isModifiable === false).map(([key]) => key as string)
  const loose = statics.filter((key) => {
    const rule = ruleOf(key)!
    return rule.kind === 'fixed' || (rule.kind === 'works' && rule.scope === 'query')
  })
  expect(loose).toEqual([])
})

function configurationPage(): string {
  const rulesOf = <K extends ConfRule['kind']>(kind: K, rules: Readonly<Record<string, ConfRule>>) =>
    Object.entries(rules).filter((entry): entry is [string, Extract<ConfRule, { kind: K }>] => entry[1].kind === kind)
  const working = confFamilies
    .map(({ title, rules }) => ({ title, rows: rulesOf('works', rules) }))
    .filter(({ rows }) => rows.length > 0)
    .map(
      ({ title, rows }) => `### ${title}

| key | default | takes | meaning |
| --- | --- | --- | --- |
${rows
  .map(([key, rule]) => {
    const shown = rule.defaultText ?? (rule.default === '' ? '–' : `\`${rule.default}\``)
    const notes = `${rule.isPinned ? '; pinned by the checkpoint' : ''}${rule.scope === 'engine' ? '; set where the engine is made' : ''}`
    return `| \`${key}\` | ${shown} | ${rule.expected} | ${rule.meaning}${notes} |`
  })
  .join('\n')}
`,
    )
  const fixed = rulesOf('fixed', confRules).map(([key, rule]) => `| \`${key}\` | \`${rule.values.join('` or `')}\` | ${rule.reason} |`)
  const refused = rulesOf('refused', confRules).map(([key, rule]) => `| \`${key}\` | ${rule.reason} |`)
  const idle = Object.entries(Object.groupBy(rulesOf('idle', confRules), ([, rule]) => rule.reason)).map(
    ([reason, keys]) => `| ${keys!.map(([key]) => `\`${key}\``).join(' ')} | ${reason} |`,
  )
  expect(confRules['spark.sql.shuffle.partitions']).toMatchObject({ default: String(availableParallelism()) })
  return `# Configuration

What \`millrace.local({ conf: { … } })\` takes, under Spark's keys where Spark has them. A key that is not here is an error that names the nearest one, and so is a value that a key does not take. Durations are a whole number with \`ms\`, \`s\`, \`min\`, \`h\` or \`d\`, sizes one with \`k\`, \`m\` or \`g\` (powers of 1024).

\`engine.conf\` reads and changes them while the engine runs, as \`spark.conf\` does: \`get\`, \`set\`, \`unset\`, \`isModifiable\`, \`getAll\`. A query keeps what stood when it started. One query may have its own value: \`.option('spark.sql.streaming.pollingDelay', '1s')\` on \`writeStream\`. "Pinned" means that the checkpoint keeps the value it began with; a start that asks for another is told which one it gets.

## Keys that work

${working.join('\n')}
## Keys with one value

A setting that brings this value is welcome; any other is refused (UNSUPPORTED_CONF_VALUE), because the rows would not be those that it asks for.

| key | value | in place of another |
| --- | --- | --- |
${fixed.join('\n')}

## Keys without effect

They are taken, with one notice for an engine, so that the settings of a production job do not stop a query. A \`*\` stands for all keys that begin so.

| keys | why they have no effect |
| --- | --- |
${idle.join('\n')}

## Keys that are refused

At any value, with UNSUPPORTED_CONF.

| key | why |
| --- | --- |
${refused.join('\n')}
`
}
