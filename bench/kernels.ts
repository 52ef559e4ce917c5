/**
 * What do functions cost that run in TypeScript? Each over rows of its own, on one thread, in CPU time (other work on the machine does not
 * count), less what it costs to make the rows.
 */
import { millrace } from 'millrace'
import type { Bench } from './run.ts'

const document = `'{"a":' || id || ',"b":"x' || id || '","c":[1,2]}'`
const functions: Readonly<Record<string, string>> = {
  'from_json, two fields': `from_json('{"a":' || id || ',"b":"x' || id || '"}', 'a bigint, b string')`,
  'from_json, three fields, an array': `from_json(${document}, 'a bigint, b string, c array<int>')`,
  get_json_object: `get_json_object(${document}, '$.b')`,
  to_json: `to_json(named_struct('a', id, 'b', 'x' || id))`,
  regexp_extract: `regexp_extract('a' || id || 'b', '(\\\\d+)', 1)`,
  regexp_extract_all: `regexp_extract_all('a1b2c' || id, '(\\\\d+)', 1)`,
  xxhash64: `xxhash64('x' || id)`,
  hash: `hash(id, 'x' || id)`,
  format_string: `format_string('%05d %s', id, 'x')`,
  parse_url: `parse_url('https://a.b/c?d=' || id, 'QUERY', 'd')`,
  format_number: 'format_number(id, 2)',
}

const bench: Bench = async ({ say, short }) => {
  const rows = short ? 5_000 : 200_000
  const engine = await millrace.local({ threads: 1, print: () => {} })
  try {
    const run = (value: string) => engine.sql(`SELECT max(CAST(x AS STRING)) FROM (SELECT ${value} AS x FROM range(${rows}))`).collect()
    const bare = await cpuMs(() => run(document))
    const result: Record<string, number> = {}
    for (const [name, value] of Object.entries(functions)) {
      await run(value)
      const ms = Math.max(1, (await cpuMs(() => run(value))) - bare)
      result[name] = Math.round(rows / ms) * 1000
      say(`${name.padEnd(36)} ${(result[name] / 1e6).toFixed(2)} M rows/s`)
    }
    const histogram = await cpuMs(() => engine.sql(`SELECT histogram_numeric(id * 1.5D, 20) FROM range(${rows})`).collect())
    say(`${'histogram_numeric'.padEnd(36)} ${(rows / histogram / 1000).toFixed(2)} M rows/s`)
    return { rows, rowsPerCpuSecond: { ...result, histogram_numeric: Math.round(rows / histogram) * 1000 } }
  } finally {
    await engine.close()
  }
}
export default bench

async function cpuMs(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}
