import { count, MemoryStream, millrace, t } from 'millrace'
import 'millrace/kafka'
import { afterAll, beforeAll, expect, test } from 'vitest'
import * as api from '../src/api/functions.ts'
import { MillraceError } from '../src/base/errors.ts'
import { findFunction, resolveCall } from '../src/plan/functions.ts'
import { ruleOf } from '../src/runtime/conf-keys/rules.ts'
import { sinkProviders } from '../src/sinks/providers.ts'
import { sourceProviders } from '../src/sources/providers.ts'
import confKeys from './spark-4.2/conf-keys.json' with { type: 'json' }
import functions from './spark-4.2/functions.json' with { type: 'json' }
import methods from './spark-4.2/methods.json' with { type: 'json' }
import options from './spark-4.2/options.json' with { type: 'json' }

type Coverage = 'supported' | 'refused' | 'not there'
interface Part {
  readonly title: string
  readonly items: readonly (readonly [name: string, Coverage])[]
}
let parts: readonly Part[]
let close: () => Promise<void>

beforeAll(async () => {
  const engine = await millrace.local({ threads: 1, print: () => {} })
  close = () => engine.close()
  const input = new MemoryStream(engine, { a: t.int(), b: t.string() })
  const stream = input.toDF() as object
  const batch = engine.createDataFrame([{ a: 1, b: 'x' }], { a: t.int(), b: t.string() }) as object
  const grouped = (batch as { groupBy(key: string): object }).groupBy('b')
  const query = await input.toDF().writeStream.format('noop').start()
  const objects: Readonly<Record<string, readonly object[]>> = {
    DataFrame: [batch, stream],
    Column: [api.col('a'), count()],
    GroupedData: [grouped],
    DataFrameReader: [engine.read],
    DataFrameWriter: [(batch as { write: object }).write],
    DataStreamReader: [engine.readStream],
    DataStreamWriter: [(stream as { writeStream: object }).writeStream],
    StreamingQuery: [query],
    StreamingQueryManager: [engine.streams],
  }
  parts = [
    { title: 'Functions', items: functions.map((name) => [name, functionCoverage(name)]) },
    ...Object.entries(options).map(([title, { role, formats, names }]) => ({
      title: `Options: ${title}`,
      items: names.map((name) => [name, optionCoverage(role, formats, name)] as const),
    })),
    { title: 'Configuration keys', items: confKeys.map(([key]) => [String(key), confCoverage(String(key))] as const) },
    ...Object.entries(methods).map(([title, names]) => ({
      title: `Methods of ${title}`,
      items: names.map((name) => [name, objects[title]!.some((object) => has(object, name)) ? 'supported' : 'not there'] as const),
    })),
  ]
  await query.stop()
})
afterAll(() => close())

/** PySpark's spellings of what has another one in both Scala and here. */
const spellings: Readonly<Record<string, string>> = {
  drop_duplicates: 'dropDuplicates',
  groupby: 'groupBy',
  where: 'where',
  isin: 'isin',
  substr: 'substr',
  ilike: 'ilike',
}
function has(object: object, name: string): boolean {
  return (
    name in object ||
    (spellings[name] ?? name) in object ||
    name.replaceAll(/_([a-z])/g, (_all, letter: string) => letter.toUpperCase()) in object
  )
}
function codeOf(work: () => unknown): string | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    return error instanceof MillraceError ? error.code : 'thrown'
  }
}
function functionCoverage(name: string): Coverage {
  if (findFunction(name) || name in api) return 'supported'
  return codeOf(() => resolveCall(name, [])) === 'NOT_SUPPORTED_YET' ? 'refused' : 'not there'
}
function confCoverage(key: string): Coverage {
  const rule = ruleOf(key)
  return rule === undefined ? 'not there' : rule.kind === 'refused' ? 'refused' : 'supported'
}
/** What the format says of an option of that name: known (whatever it thinks of the value), refused with a reason, or unknown. */
function optionCoverage(role: string, formats: readonly string[], name: string): Coverage {
  const others = Object.entries({ path: '/in', host: 'h', port: '1', rowsPerBatch: '1' }).filter(([key]) => key !== name)
  const given = Object.fromEntries([...others, [name, name === 'path' ? '/in' : '1']])
  const codes = formats.map((format) => optionCode(role, format, given) ?? 'fine')
  const code = codes.find((each) => each !== 'UNKNOWN_OPTION') ?? 'UNKNOWN_OPTION'
  return code === 'UNKNOWN_OPTION' || code === 'DATA_SOURCE_NOT_FOUND'
    ? 'not there'
    : code === 'UNSUPPORTED_OPTION' || code === 'NOT_SUPPORTED_YET'
      ? 'refused'
      : 'supported'
}
function optionCode(role: string, format: string, given: Readonly<Record<string, string>>): string | undefined {
  if (role === 'source') {
    const provider = sourceProviders.find((each) => each.formats.includes(format))
    if (!provider) return 'DATA_SOURCE_NOT_FOUND'
    // options of other formats that every call has are no fault of the option that is asked for
    const own = Object.fromEntries(Object.entries(given).filter(([key], i, all) => i === all.length - 1 || needed[format]?.includes(key)))
    const code = codeOf(() => provider.schemaOf(format, undefined, own))
    // an option may be one of bounded tables only
    return code === 'UNSUPPORTED_OPTION' && provider.bounded ? codeOf(() => provider.bounded!.schemaOf(own)) : code
  }
  return sinkProviders.some((each) => each.formats.includes(format)) ? undefined : 'DATA_SOURCE_NOT_FOUND'
}
const needed: Readonly<Record<string, readonly string[]>> = {
  json: ['path'],
  csv: ['path'],
  parquet: ['path'],
  text: ['path'],
  socket: ['host', 'port'],
  'rate-micro-batch': ['rowsPerBatch'],
}

// `npm run golden` writes the page anew.
test('docs/coverage.md counts what there is', async () => {
  await expect(coveragePage()).toMatchFileSnapshot('../docs/coverage.md')
})

test('at least 200 functions of Spark work, an alias counted once', () => {
  const rows = new Set(functions.flatMap((name) => findFunction(name) ?? []))
  expect(rows.size).toBeGreaterThanOrEqual(200)
})

function coveragePage(): string {
  const of = (part: Part, coverage: Coverage) => part.items.filter(([, each]) => each === coverage).map(([name]) => name)
  const counts = parts.map(
    (part) =>
      `| ${part.title} | ${part.items.length} | ${of(part, 'supported').length} | ${of(part, 'refused').length} | ${of(part, 'not there').length} |`,
  )
  const lists = parts.map((part) => {
    const line = (coverage: Coverage) => {
      const names = of(part, coverage)
      return names.length === 0
        ? ''
        : `\n${coverage[0]!.toUpperCase()}${coverage.slice(1)}: ${names.map((name) => `\`${name.replaceAll('|', '\\|')}\``).join(' ')}\n`
    }
    return `## ${part.title}\n${line('supported')}${line('refused')}${line('not there')}`
  })
  const rows = new Set(functions.flatMap((name) => findFunction(name) ?? []))
  return `# Coverage

What of Spark 4.2 there is. Made of Millrace's own tables and of lists that real Spark 4.2.0 gave (\`scripts/spark/lists.py\`); a test keeps it current. "Refused" is known by name and answered with a reason; "not there" is answered with the nearest name that there is. Of the functions, ${rows.size} work, aliases counted once. Keys of configuration that are taken without effect count as supported: [configuration.md](configuration.md) says which they are. Methods of PySpark that exist for Python alone (\`toPandas\`) count as not there.

| | of Spark | supported | refused | not there |
| --- | --- | --- | --- | --- |
${counts.join('\n')}

${lists.join('\n')}`
}
