import { InternalError, InvalidQueryError, MillraceError, UnavailableError } from '../base/errors.ts'

interface Known {
  readonly pattern: RegExp
  readonly error: (match: RegExpExecArray, text: string, cause: unknown) => MillraceError
}

/** DuckDB's message -> what our caller does about it. First match counts. */
const known: readonly Known[] = [
  {
    // a record's own text is in these, and may hold anything
    pattern: /^Invalid Input Error: (?=JSON transform error in file|Malformed JSON in file|CSV Error on Line|Invalid unicode)/,
    error: (_match, text, cause) =>
      new InvalidQueryError('MALFORMED_RECORD_IN_PARSING', { what: firstLine(text), todo: todoOf('MALFORMED_RECORD_IN_PARSING'), cause }),
  },
  {
    // raised on purpose by the SQL that the planner writes: error('[DIVIDE_BY_ZERO] …')
    // only at the beginning: DuckDB quotes the statement behind other errors
    pattern: /^(?:[\w ]+: )?\[([A-Z][A-Z0-9_]*(?:\.[A-Z0-9_]+)*)\] ?([\s\S]*)/,
    error: ([, code, what], _text, cause) => new InvalidQueryError(code!, { what: firstLine(what!), todo: todoOf(code!), cause }),
  },
  {
    pattern: /(?:No files found that match the pattern "([\s\S]*?)"|Cannot open file "([\s\S]*?)": No such file or directory)/,
    error: ([, pattern, path], text, cause) =>
      new UnavailableError('FILE_NOT_EXIST', {
        what: `the file ${unescapePath(path ?? pattern ?? text)} is not there`,
        todo: 'bring it back; files must stay until the batches that read them are committed. Of a table, vacuum removes those of older versions: ask for a newer one',
        cause,
      }),
  },
  {
    pattern: /Unknown TimeZone '([^']*)'/,
    error: ([, zone], _text, cause) =>
      new InvalidQueryError('INVALID_TIMEZONE', {
        what: `the timezone: ${zone} is invalid`,
        todo: "give a region such as 'America/Los_Angeles', an offset such as '+08:00', or 'UTC'",
        cause,
      }),
  },
  {
    pattern: /Out of Memory Error: ([\s\S]*)/,
    error: ([, what], _text, cause) =>
      new UnavailableError('OUT_OF_MEMORY', {
        what: `a statement needed more memory than the SQL engine may use: ${firstLine(what!)}`,
        todo: 'take fewer files or rows a batch (maxFilesPerTrigger, maxBytesPerTrigger), or raise the memory limit',
        cause,
      }),
  },
  {
    pattern: /maximum_object_size/,
    error: (_match, text, cause) =>
      new InvalidQueryError('MALFORMED_RECORD_IN_PARSING', {
        what: `a JSON record is longer than 16 MiB: ${firstLine(text)}`,
        todo: 'split the record',
        cause,
      }),
  },
  {
    pattern: /quoted new lines/,
    error: (_match, text, cause) =>
      new InvalidQueryError('MALFORMED_RECORD_IN_PARSING', {
        what: `a quoted CSV field holds a line break: ${/file = .*/.exec(text)?.[0] ?? firstLine(text)}`,
        todo: 'read the files with the option multiLine=true',
        cause,
      }),
  },
  {
    pattern: /Malformed JSON|JSON transform error|Invalid unicode|CSV Error|Error when converting column|invalid unicode|not utf-8/i,
    error: (_match, text, cause) =>
      new InvalidQueryError('MALFORMED_RECORD_IN_PARSING', {
        what: firstLine(text),
        todo: 'mend the file, or read it with the option mode=PERMISSIVE (wrong values become null)',
        cause,
      }),
  },
  {
    pattern: /(?:Conversion Error|Invalid Input Error: Could not (?:convert|cast)[^:]*): ?([\s\S]*)|Failed to cast value/,
    error: ([, what], text, cause) => {
      const line = firstLine(what ?? text)
      if (/out of range|overflow/i.test(line) && !/string/i.test(line)) return overflow(line, cause)
      return new InvalidQueryError('CAST_INVALID_INPUT', {
        what: line,
        todo: 'mend the value, or use try_cast, which gives null for it',
        cause,
      })
    },
  },
  { pattern: /Out of Range Error: ([\s\S]*)/, error: ([, what], _text, cause) => overflow(firstLine(what!), cause) },
  {
    pattern: /could not read content of file '([\s\S]*)' as valid UTF-8/,
    error: ([, file], _text, cause) =>
      new UnavailableError('FAILED_READ_FILE', {
        what: `${file} holds bytes that are no UTF-8 text`,
        todo: 'convert the file to UTF-8, read it with format binaryFile, or leave it out with ignoreCorruptFiles',
        cause,
      }),
  },
  {
    pattern: /IO Error: ((?:Could not write|[\s\S]*No space left on device)[\s\S]*)/,
    error: ([, what], _text, cause) =>
      new UnavailableError('FILE_SYSTEM_ERROR', {
        what: firstLine(what!),
        todo: 'make room on the disk, or mend it, and start the query again: it goes on where it stood',
        cause,
      }),
  },
  {
    pattern: /IO Error: ([\s\S]*)/,
    error: ([, what], _text, cause) =>
      new UnavailableError('FAILED_READ_FILE', {
        what: firstLine(what!),
        todo: 'check that the file is whole and that the disk works and has space',
        cause,
      }),
  },
  {
    pattern: /(No magic bytes|too small to be a Parquet file|Parquet|Snappy|ZSTD)[\s\S]*/i,
    error: (_match, text, cause) =>
      new UnavailableError('FAILED_READ_FILE', {
        what: firstLine(text),
        todo: 'check that the file is whole and in the format that the source names',
        cause,
      }),
  },
]

/** What DuckDB threw at a statement, as an error of ours. Errors of ours pass through. */
export function sqlError(cause: unknown, sql: string): MillraceError {
  if (cause instanceof MillraceError) return cause
  const text = cause instanceof Error ? cause.message : String(cause)
  // a parser's or binder's complaint quotes our SQL, which may hold anything; it is always our defect
  if (!/^(Parser|Binder|Catalog|INTERNAL|TransactionContext)\b/.test(text)) {
    for (const { pattern, error } of known) {
      const match = pattern.exec(text)
      if (match) return error(match, text, cause)
    }
  }
  return new InternalError('INTERNAL_ERROR', {
    what: `DuckDB refused a statement: ${text}\n  SQL: ${sql.length > 4000 ? `${sql.slice(0, 4000)}…` : sql}`,
    todo: 'report this with the query',
    cause,
  })
}

function overflow(what: string, cause: unknown): InvalidQueryError {
  const small = /^Overflow in (?:addition|subtraction|multiplication) of INT(?:8|16) /.test(what)
  return new InvalidQueryError(small ? 'BINARY_ARITHMETIC_OVERFLOW' : 'ARITHMETIC_OVERFLOW', {
    what,
    todo: 'cast to a wider type first, or use the try_ form of the function',
    cause,
  })
}
function todoOf(code: string): string {
  return todos[code] ?? 'change the expression or the data so that it has a value, or use the try_ form of the function'
}
const todos: Readonly<Record<string, string>> = {
  DIVIDE_BY_ZERO: 'use try_divide, which gives null, or leave out the rows with a zero',
  CAST_INVALID_INPUT: 'mend the value, or use try_cast, which gives null for it',
  MALFORMED_RECORD_IN_PARSING: 'mend the file, or read it with the option mode=PERMISSIVE (wrong values become null)',
  SCALAR_SUBQUERY_TOO_MANY_ROWS: 'make the subquery give one row: aggregate, or add LIMIT 1',
  INVALID_PARTITION_VALUE: 'name the folder by a value of the type, or give the column the type string',
  NOT_NULL_ASSERT_VIOLATION: 'give a value, or make the column nullable',
}
/** Without the position and the SQL that DuckDB adds. */
function firstLine(text: string): string {
  return text.split(/\n\s*\n|\nLINE \d+:/)[0]!.trim()
}
/** The path as it was before it became a pattern that matches only itself. */
function unescapePath(pattern: string): string {
  return pattern.replace(/\[([[*?])\]/g, '$1')
}
