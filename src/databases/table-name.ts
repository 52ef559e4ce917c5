import { InvalidQueryError } from '../base/errors.ts'

/** A table as `dbtable` names it. */
export interface TableName {
  /** Schema (PostgreSQL), database (MySQL) or attached database (SQLite); null for the connection's own. */
  readonly schema: string | null
  readonly name: string
}

/**
 * Reads `clicks`, `shop.clicks`, `"odd name"."x.y"`; quotes are those of SQL, backticks or brackets, doubled inside. Names are taken as they are
 * written: nothing is folded to lower case. InvalidQueryError INVALID_OPTION_VALUE.
 */
export function parseTableName(text: string): TableName {
  const parts: string[] = []
  const part = /\s*(?:"((?:[^"]|"")+)"|`((?:[^`]|``)+)`|\[([^\]]+)\]|([^\s."`[\]()]+))\s*(\.|$)/y
  let ended = false
  while (!ended) {
    const match = part.exec(text)
    if (match === null) break
    const [, quoted, ticked, bracketed, plain, end] = match
    parts.push(quoted?.replaceAll('""', '"') ?? ticked?.replaceAll('``', '`') ?? bracketed ?? plain!)
    ended = end === ''
  }
  const [first, second] = parts
  if (!ended || first === undefined || parts.length > 2) {
    throw new InvalidQueryError('INVALID_OPTION_VALUE', {
      what: `dbtable = ${JSON.stringify(text)} is not the name of a table`,
      todo: 'give a name such as clicks, shop.clicks or "odd name"; a SELECT goes into the option query, and only for reading',
    })
  }
  return second === undefined ? { schema: null, name: first } : { schema: first, name: second }
}

/** A name within quotes, a quote inside doubled. */
export function quoted(name: string, quote = '"'): string {
  return quote + name.replaceAll(quote, quote + quote) + quote
}
export function quotedTable({ schema, name }: TableName, quote = '"'): string {
  return schema === null ? quoted(name, quote) : `${quoted(schema, quote)}.${quoted(name, quote)}`
}

/** For messages and for the notes of batches: `shop.clicks`. */
export function tableText({ schema, name }: TableName): string {
  return schema === null ? name : `${schema}.${name}`
}
