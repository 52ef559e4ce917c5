import { availableParallelism } from 'node:os'
import { expect, test } from 'vitest'
import { confKeys } from '../src/runtime/conf.ts'

// `npm run golden` writes the page anew.
test('docs/configuration.md lists every key', async () => {
  await expect(configurationPage()).toMatchFileSnapshot('../docs/configuration.md')
})

function configurationPage(): string {
  const rows = Object.entries(confKeys).map(([key, { default: value, expected, meaning }]) => {
    const shown = key === 'spark.sql.shuffle.partitions' ? `cores of the machine` : value === '' ? '–' : `\`${value}\``
    return `| \`${key}\` | ${shown} | ${expected} | ${meaning} |`
  })
  expect(confKeys['spark.sql.shuffle.partitions']?.default).toBe(String(availableParallelism()))
  return `# Configuration

What \`millrace.local({ conf: { … } })\` takes, under Spark's keys where Spark has them. A key that is not here is an error that names the nearest one, and so is a value that a key does not take. Durations are a whole number with \`ms\`, \`s\`, \`min\`, \`h\` or \`d\`. "Pinned" means that the checkpoint keeps the value it began with.

| key | default | takes | meaning |
| --- | --- | --- | --- |
${rows.join('\n')}
`
}
