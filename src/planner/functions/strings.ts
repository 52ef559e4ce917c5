/** Text and binary. */
import { bind, sqlType } from '../sql-text.ts'
import { plain, type Template, type Templates, toInt } from './template.ts'

/** Positions from 1, or from the end below 0; 0 is taken for 1. What lies before the beginning counts for the length. */
const substring: Template = ([x, position, length]) => {
  const ofBytes = x!.type === 'binary'
  const size = ofBytes ? `octet_length(${x!.sql})` : `length(${x!.sql})`
  const cut = (from: string, count: string | undefined) =>
    ofBytes
      ? `from_hex(substring(hex(${x!.sql}), 2 * (${from}) - 1${count === undefined ? '' : `, 2 * (${count})`}))`
      : `substring(${x!.sql}, ${from}${count === undefined ? '' : `, ${count}`})`
  const positionValue = position!.literal === undefined || position!.literal === null ? undefined : Number(position!.literal)
  const lengthValue = length?.literal === undefined || length.literal === null ? undefined : Number(length.literal)
  if (positionValue !== undefined && positionValue >= 0 && (length === undefined || (lengthValue !== undefined && lengthValue >= 0))) {
    return cut(String(Math.max(1, positionValue)), length && String(lengthValue))
  }
  const start = `(CASE WHEN ${position!.sql} > 0 THEN CAST(${position!.sql} AS BIGINT) WHEN ${position!.sql} < 0 THEN ${size} + ${position!.sql} + 1 ELSE 1 END)`
  if (length === undefined) return cut(`greatest(${start}, 1)`, undefined)
  const count = `greatest(${start} + ${length.sql} - greatest(${start}, 1), 0)`
  const nullSafe = [position!, length].filter((a) => a.nullable).map((a) => `${a.sql} IS NOT NULL`)
  const text = cut(`greatest(${start}, 1)`, count)
  return nullSafe.length === 0 ? text : `CASE WHEN ${nullSafe.join(' AND ')} THEN ${text} END` // greatest passes over nulls
}

/** concat_ws takes texts and arrays of texts, and leaves nulls out. */
const concatWithSeparator: Template = ([separator, ...parts]) => {
  if (parts.every((part) => part.type === 'string')) return `concat_ws(${[separator!, ...parts].map((a) => a.sql).join(', ')})`
  const lists = parts.map((part) => (part.type === 'string' ? `[${part.sql}]` : `coalesce(${part.sql}, CAST([] AS VARCHAR[]))`))
  return `array_to_string(${lists.reduce((a, b) => `list_concat(${a}, ${b})`)}, ${separator!.sql})`
}

const concat: Template = (args, type) =>
  args.length === 0 ? "''" : args.length === 1 ? args[0]!.sql : `CAST((${args.map((a) => a.sql).join(' || ')}) AS ${sqlType(type)})`

/** At most `limit` parts, the last of which keeps the rest; no limit where it is 0 or less. */
const split: Template = ([x, pattern, limit]) => {
  const parts = `string_split_regex(${x!.sql}, ${pattern!.sql})`
  if (limit === undefined || (typeof limit.literal === 'number' && limit.literal <= 0)) return parts
  const before = `(len(v.p) - greatest(${limit.sql}, 1) + 1)`
  const head = `v.p[1:${limit.sql} - 1]`
  const used = `coalesce(list_sum(list_transform(${head}, lambda s: length(s))), 0) + coalesce(list_sum(list_transform(v.m[1:${limit.sql} - 1], lambda s: length(s))), 0)`
  return bind(
    `struct_pack(p := ${parts}, m := regexp_extract_all(${x!.sql}, ${pattern!.sql}), x := ${x!.sql})`,
    'v',
    `CASE WHEN ${limit.sql} <= 0 OR ${before} <= 1 THEN v.p ELSE list_concat(${head}, [substring(v.x, CAST(${used} AS BIGINT) + 1)]) END`,
  )
}

const trim: Template = (args, _type, name) => `${name}(${args[0]!.sql}, ${args[1]?.sql ?? "' '"})`

const pad: Template = ([x, length, filler], _type, name) => {
  const padding = filler?.sql ?? "' '"
  if (typeof filler?.literal === 'string' && filler.literal !== '') return `${name}(${x!.sql}, ${length!.sql}, ${padding})`
  if (filler === undefined) return `${name}(${x!.sql}, ${length!.sql}, ' ')`
  return `CASE WHEN ${padding} = '' THEN substring(${x!.sql}, 1, greatest(${length!.sql}, 0)) ELSE ${name}(${x!.sql}, ${length!.sql}, CASE WHEN ${padding} = '' THEN ' ' ELSE ${padding} END) END`
}

export const strings: Templates = {
  startswith: plain('starts_with'),
  endswith: plain('ends_with'),
  contains: plain('contains'),
  upper: plain('upper'),
  lower: plain('lower'),
  length: ([x], type) => `CAST(${x!.type === 'binary' ? 'octet_length' : 'length'}(${x!.sql}) AS ${sqlType(type)})`,
  trim,
  ltrim: trim,
  rtrim: trim,
  concat,
  concat_ws: concatWithSeparator,
  substring,
  replace: ([x, from, to]) => `replace(${x!.sql}, ${from!.sql}, ${to?.sql ?? "''"})`,
  split,
  lpad: pad,
  rpad: pad,
  instr: toInt('instr'),
  // reverse() of SQL keeps an accent on its letter; Spark turns code points
  reverse: ([x]) => (x!.type === 'string' ? `array_to_string(list_reverse(string_split(${x!.sql}, '')), '')` : `list_reverse(${x!.sql})`),
  repeat: plain('repeat'),
}
