/** The errors of the analyser under Spark's error classes. */
import { InvalidQueryError } from '../base/errors.ts'
import { nearest } from '../base/suggest.ts'
import { type DataType, type Field, typeText } from '../data/types.ts'

/** A type as Spark's messages have it: `"BIGINT"`. */
export function quoteType(type: DataType): string {
  return `"${typeText(type).toUpperCase()}"`
}
/** `a`.`b` */
export function quotePath(...parts: readonly string[]): string {
  return parts.map((part) => `\`${part}\``).join('.')
}

function didYouMean(near: readonly string[], all: readonly string[]): string {
  const shown = near.length > 0 ? near : all.slice(0, 5)
  return shown.map((name) => `\`${name}\``).join(', ')
}

/** A table that was asked for as a stream. */
export function noStreamingTable(name: string, todo: string): InvalidQueryError {
  return new InvalidQueryError('UNSUPPORTED_STREAMING_TABLE', {
    what: `${JSON.stringify(name)} is a bounded table, which can't be followed as a stream`,
    todo: `${todo}, or make the view of a stream: engine.readStream….createTempView(name)`,
  })
}

export function unresolvedColumn(name: string, fields: readonly Field[]): InvalidQueryError {
  const names = fields.map((field) => field.name)
  const what = `a column with name \`${name}\` cannot be resolved`
  if (names.length === 0)
    return new InvalidQueryError('UNRESOLVED_COLUMN.WITHOUT_SUGGESTION', {
      what,
      todo: 'the input has no columns; check what it is made from',
    })
  const near = nearest(name.split('.').at(-1)!, names, 5)
  return new InvalidQueryError('UNRESOLVED_COLUMN.WITH_SUGGESTION', {
    what,
    todo: `did you mean one of the following? [${didYouMean(near, names)}]`,
  })
}

/** Of methods that take names of columns and no expressions. `todo` where there is more to say than the nearest names. */
export function notAmong(name: string, fields: readonly Field[], todo?: string): InvalidQueryError {
  const names = fields.map((field) => field.name)
  return new InvalidQueryError('UNRESOLVED_COLUMN_AMONG_FIELD_NAMES', {
    what: `the column name "${name}" cannot be resolved among (${names.join(', ')})`,
    todo: todo ?? `did you mean one of the following? [${didYouMean(nearest(name, names, 5), names)}]`,
  })
}

export function ambiguousReference(name: string, candidates: readonly Field[]): InvalidQueryError {
  return new InvalidQueryError('AMBIGUOUS_REFERENCE', {
    what: `reference \`${name}\` is ambiguous, could be: [${candidates.map((f) => (f.qualifier ? quotePath(f.qualifier, f.name) : quotePath(f.name))).join(', ')}]`,
    todo: 'give the inputs names with alias("a") and write col("a.x"), or rename or drop one of the columns first',
  })
}

export function fieldNotFound(field: string, fields: readonly Field[]): InvalidQueryError {
  const names = fields.map((f) => f.name)
  return new InvalidQueryError('FIELD_NOT_FOUND', {
    what: `no such struct field \`${field}\` in ${names.map((name) => `\`${name}\``).join(', ')}`,
    todo: `did you mean one of the following? [${didYouMean(nearest(field, names, 5), names)}]`,
  })
}

/** DATATYPE_MISMATCH.<kind>. */
export function typeMismatch(kind: string, what: string, todo: string): InvalidQueryError {
  return new InvalidQueryError(`DATATYPE_MISMATCH.${kind}`, { what, todo })
}

export function wrongArgumentCount(name: string, wanted: string, got: number): InvalidQueryError {
  return new InvalidQueryError('WRONG_NUM_ARGS.WITHOUT_SUGGESTION', {
    what: `${name} takes ${wanted} argument(s), but got ${got}`,
    todo: `call ${name} with ${wanted} argument(s)`,
  })
}

export function unresolvedRoutine(name: string, known: readonly string[]): InvalidQueryError {
  const near = nearest(name, known, 5)
  return new InvalidQueryError('UNRESOLVED_ROUTINE', {
    what: `there is no function \`${name}\``,
    todo: near.length > 0 ? `did you mean one of the following? [${didYouMean(near, known)}]` : 'see docs for the functions there are',
  })
}

/** For what Spark can do and this version can not. `feature` names it. */
export function notSupportedYet(feature: string, todo: string): InvalidQueryError {
  return new InvalidQueryError('NOT_SUPPORTED_YET', { what: `${feature}: not in this version of Millrace yet`, todo })
}
