/** Lines of CSV. */
import { castSql, fieldSql } from '../cast-sql.ts'
import { bind, sqlType, stringLiteral } from '../sql-text.ts'
import { asTexts, formattedTime, patternFor, patternsOf, valueOf } from './json.ts'
import { kernel, type Template, type Templates, unsupported } from './template.ts'

/** The kernel gives a JSON text with a text for each value that fits its type. */
const fromCsv: Template = ([x, spec], type) =>
  valueOf(`CAST(CAST(spark_from_csv(${x!.sql}, ${spec!.sql}) AS JSON) AS ${sqlType(asTexts(type))})`, type, patternsOf(spec))

const toCsv: Template = ([x, spec, given]) => {
  const { type, sql } = x!
  if (typeof type === 'string' || type.kind !== 'struct') throw unsupported('to_csv of this type', 'give a struct')
  const { sep, nullValue } = JSON.parse(String(spec!.literal)) as { readonly sep: string; readonly nullValue: string }
  const fields = type.fields.map((field) => {
    const value = fieldSql('w', field.name)
    const pattern = patternFor(JSON.parse(String(given!.literal)), field.type)
    const text =
      pattern !== undefined
        ? formattedTime(value, field.type, pattern)
        : field.type === 'timestamp'
          ? `strftime(${value}, '%Y-%m-%dT%H:%M:%S.%gZ')`
          : field.type === 'timestamp_ntz'
            ? `strftime(${value}, '%Y-%m-%dT%H:%M:%S.%g')`
            : castSql(value, field.type, 'string', 'ansi')
    return `coalesce(spark_csv_quote(${text}, ${spec!.sql}), ${stringLiteral(nullValue)})`
  })
  return bind(sql, 'w', `CASE WHEN w IS NOT NULL THEN ${fields.length === 0 ? "''" : fields.join(` || ${stringLiteral(sep)} || `)} END`)
}

export const csv: Templates = { from_csv: fromCsv, to_csv: toCsv, schema_of_csv: kernel('schema_of_csv') }
