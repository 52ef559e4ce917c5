// A decimal in JSON has as many digits as are written, in a record of any shape; a double would keep fifteen of them.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { t } from 'millrace'
import { expect, test } from 'vitest'
import { useEngine } from './harness.ts'
import { useInputFolders } from './input-folder.ts'

const engine = useEngine()
const newFolder = useInputFolders()

const wide = t.decimal(38, 10)
const schema = {
  id: t.long(),
  d: wide.nullable(),
  narrow: t.decimal(12, 2).nullable(),
  s: t.struct({ 'd"x': wide.nullable(), l: t.array(wide) }).nullable(),
  m: t.map(t.string(), wide).nullable(),
}
const digits = (min: number, max: number) => fc.stringMatching(new RegExp(`^[0-9]{${min},${max}}$`))
/** As JSON has it: no zeros in front, no more than ten digits behind the point. */
const number = fc
  .tuple(
    fc.constantFrom('', '-'),
    digits(1, 27),
    fc.oneof(
      fc.constant(''),
      digits(1, 10).map((part) => `.${part}`),
    ),
  )
  .map(([sign, whole, part]) => `${sign}${whole.replace(/^0+(?=\d)/, '')}${part}`)
const record = fc.record({
  d: number,
  narrow: fc.integer({ min: 0, max: 999_999 }).map((n) => `${n / 100}`),
  s: number,
  l: fc.array(number, { maxLength: 3 }),
  m: number,
})

/** What a number is as decimal(38, 10). */
function exact(text: string): string {
  const [whole, part = ''] = text.split('.')
  const value = `${whole}.${part.padEnd(10, '0')}`
  return /^-[0.]+$/.test(value) ? value.slice(1) : value
}

const line = ({ d, narrow, s, l, m }: { d: string; narrow: string; s: string; l: string[]; m: string }, id: number) =>
  `{"id":${id},"d": ${d},"narrow":${narrow},"s":{"d\\"x":${s},"l":[${l.join(', ')}]},"m":{"k":${m}}}`

test.each(['lines', 'lines in gzip', 'an array'])('every digit of a decimal is read: %s', async (kind) => {
  await fc.assert(
    fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 4 }), async (records) => {
      const lines = records.map(line)
      const text = kind === 'an array' ? `[${lines.join(',\n')}]` : `${lines.join('\n')}\n`
      const folder = await newFolder()
      await (kind === 'lines in gzip' ? writeFile(join(folder.path, 'a.json.gz'), gzipSync(text)) : folder.add(text, 'a.json'))
      const rows = await engine()
        .read.option('multiLine', kind === 'an array')
        .json(folder.path, schema)
        .orderBy('id')
        .collect()
      expect(rows.map(({ d, narrow, s, m }) => [d, narrow, s!['d"x'], ...s!.l, m!.get('k')].map(String))).toEqual(
        records.map(({ d, narrow, s, l, m }) => [exact(d), Number(narrow).toFixed(2), exact(s), ...l.map(exact), exact(m)]),
      )
    }),
    { numRuns: 8 },
  )
})

test('a stream, too, also where one field of a struct is all that is read, and beside records that are malformed', async () => {
  const folder = await newFolder()
  await folder.add('{"id":1,"s":{"d\\"x":123456789012345.678}}\n', 'a.json')
  await folder.add('{"id":2,"s":{"d\\"x":0.5}}\n{"id":\n{"id":3,"s":{"d\\"x":99999999999999999999.0000000001}}\n', 'b.json')
  const seen: string[] = []
  const query = await engine()
    .readStream.option('maxFilesPerTrigger', 1)
    .schema(schema)
    .json(folder.path)
    .where(({ id }) => id.isNotNull())
    .selectExpr('s.`d"x` AS d')
    .writeStream.foreachBatch(async (rows) => void seen.push(...(await rows.collect()).map(({ d }) => String(d))))
    .trigger({ availableNow: true })
    .option('checkpointLocation', folder.beside('cp'))
    .start()
  await query.awaitTermination()
  expect(seen).toEqual(['123456789012345.6780000000', '0.5000000000', '99999999999999999999.0000000001'])
})

test('what the JSON writer has written is read back', async () => {
  const folder = await newFolder()
  const rows = [{ d: '9999999999999999999999999999.9999999999' }, { d: '-0.0000000001' }, { d: null }]
  const out = join(folder.path, 'out')
  await engine().createDataFrame(rows, { d: wide.nullable() }).write.json(out)
  const read = await engine().read.json(out, { d: wide.nullable() }).collect()
  expect(read.map(({ d }) => d && String(d))).toEqual(rows.map(({ d }) => d))
})
