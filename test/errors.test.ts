import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { type RestartRule, restartRules } from '../src/checkpoint/restart-rules.ts'
import { type CodeUse, errorCodes } from './error-codes.ts'

const uses: CodeUse[] = [
  ...errorCodes(resolve(import.meta.dirname, '..')),
  // what a restart refuses is in a table
  ...Object.values<RestartRule>(restartRules).flatMap(({ change, code, todo }) =>
    code === undefined
      ? []
      : [{ code, errorClass: 'InvalidQueryError', what: change, todo: todo!, file: 'src/checkpoint/restart-rules.ts' }],
  ),
]
const classes: Readonly<Record<string, string>> = {
  InvalidQueryError: 'fix the query, its options or its data: it cannot run as it is',
  UnavailableError: 'something outside is not there right now: try again (`millrace run --restart` does)',
  FencedError: 'another run took over: stop',
  CorruptCheckpointError: 'what is on disk cannot be trusted: restore it, or begin a new checkpoint; nothing was overwritten',
  UserFunctionError: 'a function that you gave has thrown; `cause` is what it threw',
  InternalError: 'a defect of Millrace: report it',
}
/** As much of one code's uses as a row shows. */
const shownUses = 4

/** Causes of codes whose text comes from elsewhere (DuckDB, a function's caller). */
const causes: Readonly<Record<string, string>> = {
  'DATATYPE_MISMATCH.VALUE_OUT_OF_RANGE': 'the durations of a window do not fit together',
  BINARY_ARITHMETIC_OVERFLOW: 'a sum, difference or product of two bytes or shorts leaves their range',
  FAILED_READ_FILE: 'a file could not be read: the disk failed, or the file is damaged or of another format',
  MALFORMED_AVRO_MESSAGE: 'bytes are no value of an Avro schema, or a value does not fit it',
  MALFORMED_JSON_MESSAGE: 'a value is no JSON, or not what its JSON Schema says',
  MALFORMED_PROTOBUF_MESSAGE: 'bytes are no message of a .proto file, or a value does not fit it',
  KAFKA_CORRUPT_BATCH: 'a batch of records from Kafka has a wrong checksum, ends too early, or is of a format that is not read',
  GROUPING_SIZE_LIMIT_EXCEEDED: 'a grouping has more keys than there may be',
  ILLEGAL_FORMAT: 'a format of format_string has a conversion that is unknown, or that cannot show its value',
  INVALID_TRIGGER: 'trigger(…) was given something that is no trigger',
}
const seeMessage = 'the message says what to use instead'
const todos: Readonly<Record<string, string>> = {
  CAST_INVALID_INPUT: 'mend the value, or use try_cast, which gives null for it',
  DIVIDE_BY_ZERO: 'use try_divide, which gives null, or leave out the rows with a zero',
  INVALID_TRIGGER: "write trigger({ processingTime: '10 seconds' }), trigger({ availableNow: true }) or trigger({ once: true })",
  FILE_SYSTEM_ERROR:
    'make room, give the right to read and write, or mend the disk or the path; then start the query again: it goes on where it stood',
  NOT_A_TEXT: 'the message says what to write',
  NOT_SUPPORTED_YET: seeMessage,
  'STREAMING_OUTPUT_MODE.UNSUPPORTED_OPERATION': seeMessage,
  UNSUPPORTED_ARGUMENT: seeMessage,
  UNSUPPORTED_STREAMING_OPERATION: seeMessage,
}

// `npm run golden` writes the page anew.
test('docs/errors.md lists every code with its cause and its cure', async () => {
  await expect(errorsPage()).toMatchFileSnapshot('../docs/errors.md')
})

test('a code belongs to one class, and to a class of the list', () => {
  const byCode = Object.groupBy(uses, (use) => use.code)
  const several = Object.entries(byCode).filter(([, same]) => new Set(same!.map((use) => use.errorClass)).size > 1)
  // what a caller does about these depends on who broke the rule: the user, or a checkpoint that was tampered with
  const known = ['INTERNAL_ERROR', 'INVALID_OFFSET', 'SINK_OWNED_BY_ANOTHER_QUERY']
  expect(several.map(([code]) => code).filter((code) => !known.includes(code))).toEqual([])
  expect([...new Set(uses.map((use) => use.errorClass))].filter((name) => !(name in classes))).toEqual([])
})

test('every code has a cause', () => {
  const without = [...Map.groupBy(uses, (use) => use.code)].filter(
    ([code, same]) => causes[code] === undefined && same.every((use) => use.what === ''),
  )
  expect(without.map(([code, [use]]) => `${use!.file}: ${code}`)).toEqual([])
})

test('a code is spelt as a code', () => {
  const odd = uses.filter(({ code }) => !/^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*(\.[A-Z][A-Z0-9]*(_[A-Z0-9]+)*)*([._]\*)?$/.test(code))
  expect(odd.map(({ code, file }) => `${file}: ${code}`)).toEqual([])
})

test('the reader of the source finds codes in every shape that they have there', () => {
  const found = new Set(uses.map(({ code }) => code))
  for (const code of [
    'SQL_CONF_NOT_FOUND', // new InvalidQueryError('…')
    'STREAMING_SORT', // a condition's arm
    'DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE', // through a function that adds to it
    'DIVIDE_BY_ZERO', // raised by SQL
    'NO_QUERY_STARTED', // through a function
    'STATE_STORE_KEY_SCHEMA_NOT_COMPATIBLE', // from the table of restart rules
  ])
    expect(found).toContain(code)
})

function errorsPage(): string {
  const byCode = Map.groupBy(uses, (use) => use.code)
  const sections = Object.entries(classes).map(([name, action]) => {
    const rows = [...byCode].filter(([, [first]]) => first!.errorClass === name).map(([code, same]) => row(code, same))
    return `## ${name}\n\nWhat the caller does: ${action}.\n\n| code | what happened | what to do |\n| --- | --- | --- |\n${rows.join('\n')}\n`
  })
  return `# Errors

Every error is a \`MillraceError\` of one of six classes, which say what the caller does now. It carries a \`code\` that never changes (Spark's error class where Spark has one), \`what\` happened with the values in it, \`todo\`, and the \`cause\`. This page is made of the source: \`{name}\` stands where a value comes in.

${sections.join('\n')}`
}

function row(code: string, same: readonly CodeUse[]): string {
  const pairs = [...new Map(same.map((use) => [`${use.what}\n${use.todo}`, use])).values()].filter((use) => use.what !== '')
  const shown = pairs.slice(0, shownUses)
  const more = pairs.length > shownUses ? [`and ${pairs.length - shownUses} more of this kind`] : []
  const what = [...(causes[code] ? [causes[code]] : []), ...shown.map((use) => cell(use.what)), ...more]
  const cures = new Set((shown.length > 0 ? shown : same).map((use) => cell(use.todo)).filter((todo) => todo !== ''))
  return `| \`${code}\` | ${what.join('<br>')} | ${cures.size > 0 ? [...cures].join('<br>') : (todos[code] ?? inTheData)} |`
}
const inTheData = 'change the expression or the data so that it has a value, or use the try_ form of the function'
function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;')
}
