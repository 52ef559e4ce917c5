/** Text and binary. */
import { castSql } from '../cast-sql.ts'
import { raise, sqlType } from '../sql-text.ts'
import { isFloating, kernel, plain, type SqlArgument, type Template, type Templates, toInt } from './template.ts'

/** SQL's own means the same where the delimiter is not empty and the number not 0. */
const splitPart: Template = (args, ...rest) => {
  const [, delimiter, number] = args
  const isSame =
    typeof delimiter!.literal === 'string' && delimiter!.literal !== '' && typeof number!.literal === 'number' && number!.literal !== 0
  return (isSame ? plain : kernel)('split_part')(args, ...rest)
}

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

/** SQL turns letter by letter, and knows no ß that becomes SS; what is all ASCII takes its fast way. */
const inCase =
  (name: string): Template =>
  ([x]) =>
    `CASE WHEN strlen(${x!.sql}) = length(${x!.sql}) THEN ${name}(${x!.sql}) ELSE spark_${name}(${x!.sql}) END`

/** concat_ws takes texts and arrays of texts, and leaves nulls out. */
const concatWithSeparator: Template = ([separator, ...parts]) => {
  if (parts.length === 0) return `CASE WHEN ${separator!.sql} IS NOT NULL THEN '' END`
  if (parts.every((part) => part.type === 'string')) return `concat_ws(${[separator!, ...parts].map((a) => a.sql).join(', ')})`
  const lists = parts.map((part) => (part.type === 'string' ? `[${part.sql}]` : `coalesce(${part.sql}, CAST([] AS VARCHAR[]))`))
  return `array_to_string(${lists.reduce((a, b) => `list_concat(${a}, ${b})`)}, ${separator!.sql})`
}

const concat: Template = (args, type) =>
  args.length === 0 ? "''" : args.length === 1 ? args[0]!.sql : `CAST((${args.map((a) => a.sql).join(' || ')}) AS ${sqlType(type)})`

const trim: Template = (args, _type, name) => `${name === 'btrim' ? 'trim' : name}(${args[0]!.sql}, ${args[1]?.sql ?? "' '"})`

const pad: Template = ([x, length, filler], type, name) => {
  if (type === 'binary') return `spark_${name}_bytes(${x!.sql}, ${length!.sql}, ${filler!.sql})`
  const padding = filler?.sql ?? "' '"
  if (typeof filler?.literal === 'string' && filler.literal !== '') return `${name}(${x!.sql}, ${length!.sql}, ${padding})`
  if (filler === undefined) return `${name}(${x!.sql}, ${length!.sql}, ' ')`
  return `CASE WHEN ${padding} = '' THEN substring(${x!.sql}, 1, greatest(${length!.sql}, 0)) ELSE ${name}(${x!.sql}, ${length!.sql}, CASE WHEN ${padding} = '' THEN ' ' ELSE ${padding} END) END`
}

/** Of two binaries: their digits are compared, two a byte. */
const ofBytes =
  (ofText: string): Template =>
  ([a, b]) =>
    a!.type !== 'binary' ? `${ofText}(${a!.sql}, ${b!.sql})` : `${ofText}(hex(${a!.sql}), hex(${b!.sql}))`

/** The last characters; none where the length is not positive. */
const right: Template = ([x, length], type, name) => {
  const positive = `greatest(${length!.sql}, 0)`
  const none = type === 'binary' ? "from_hex('')" : "''"
  const part =
    type === 'binary'
      ? substring([x!, { ...length!, sql: `(- ${length!.sql})`, literal: undefined as never }], type, name)
      : `right(${x!.sql}, ${positive})`
  return `CASE WHEN ${length!.sql} > 0 THEN ${part} WHEN ${x!.sql} IS NOT NULL AND ${length!.sql} IS NOT NULL THEN ${none} END`
}

const elt: Template = ([n, ...values]) => {
  const wrong = raise(
    'INVALID_ARRAY_INDEX',
    `The index {} is out of bounds. The array has ${values.length} elements.`,
    `CAST(${n!.sql} AS VARCHAR)`,
  )
  return `CASE ${n!.sql} ${values.map((value, i) => `WHEN ${i + 1} THEN ${value.sql}`).join(' ')} ELSE CASE WHEN ${n!.sql} IS NOT NULL THEN ${wrong} END END`
}

/** A value of format_string as a text after a letter that says what it is. */
function formatToken({ sql, type }: SqlArgument): string {
  if (type === 'void') return 'CAST(NULL AS VARCHAR)'
  const letter =
    type === 'byte' || type === 'short' || type === 'int'
      ? 'i'
      : type === 'long'
        ? 'l'
        : type === 'float' || type === 'double'
          ? 'd'
          : type === 'boolean'
            ? 'b'
            : typeof type !== 'string' && type.kind === 'decimal'
              ? 'n'
              : 's'
  return `'${letter}' || ${castSql(sql, type, 'string', 'ansi')}`
}
const formatString: Template = ([format, ...values]) =>
  `spark_format_string(${format!.sql}, CAST([${values.map(formatToken).join(', ')}] AS VARCHAR[]))`

const formatNumber: Template = ([x, decimals]) => {
  const kernel = decimals!.type === 'string' ? 'format_pattern' : 'format_number'
  return `spark_${kernel}(CAST(${x!.sql} AS VARCHAR), ${isFloating(x!.type)}, ${decimals!.sql})`
}

const toNumber: Template = ([x, format], type, name) => `CAST(spark_${name}(${x!.sql}, ${format!.sql}) AS ${sqlType(type)})`
const toChar: Template = ([x, format]) => {
  if (x!.type !== 'binary') return `spark_to_char(CAST(${x!.sql} AS VARCHAR), ${format!.sql})`
  return format!.literal === 'base64'
    ? `spark_base64(${x!.sql})`
    : format!.literal === 'hex'
      ? `hex(${x!.sql})`
      : `spark_decode(${x!.sql}, 'UTF-8')`
}
const toBinary: Template = ([x, format], _type, name) => {
  const lenient = name === 'try_to_binary'
  if (format!.literal === 'utf-8') return `encode(${x!.sql})`
  if (format!.literal === 'base64') return `spark_${lenient ? 'try_' : ''}unbase64(${x!.sql})`
  return `spark_${lenient ? 'unhex' : 'hex_to_binary'}(${x!.sql})`
}

export const strings: Templates = {
  startswith: ofBytes('starts_with'),
  endswith: ofBytes('ends_with'),
  contains: ([a, b]) => `${a!.type === 'binary' ? 'spark_contains_bytes' : 'contains'}(${a!.sql}, ${b!.sql})`,
  upper: inCase('upper'),
  lower: inCase('lower'),
  initcap: kernel('initcap'),
  length: ([x], type) => `CAST(${x!.type === 'binary' ? 'octet_length' : 'length'}(${x!.sql}) AS ${sqlType(type)})`,
  octet_length: ([x]) => `CAST(${x!.type === 'binary' ? 'octet_length' : 'strlen'}(${x!.sql}) AS INTEGER)`,
  bit_length: ([x]) => `CAST(8 * ${x!.type === 'binary' ? 'octet_length' : 'strlen'}(${x!.sql}) AS INTEGER)`,
  trim,
  btrim: trim,
  ltrim: trim,
  rtrim: trim,
  concat,
  concat_ws: concatWithSeparator,
  substring,
  substring_index: kernel('substring_index'),
  right,
  overlay: (args, type) => `spark_overlay${type === 'binary' ? '_bytes' : ''}(${args.map((a) => a.sql).join(', ')})`,
  replace: ([x, from, to]) =>
    from!.literal === '' ? `CASE WHEN ${to!.sql} IS NOT NULL THEN ${x!.sql} END` : `replace(${x!.sql}, ${from!.sql}, ${to?.sql ?? "''"})`,
  translate: plain('translate'),
  split: kernel('split'),
  split_part: splitPart,
  lpad: pad,
  rpad: pad,
  instr: toInt('instr'),
  locate: ([part, x, start]) =>
    start!.literal === 1 ? `CAST(instr(${x!.sql}, ${part!.sql}) AS INTEGER)` : `spark_locate(${part!.sql}, ${x!.sql}, ${start!.sql})`,
  find_in_set: kernel('find_in_set'),
  elt,
  // reverse() of SQL keeps an accent on its letter; Spark turns code points
  reverse: ([x]) => (x!.type === 'string' ? `array_to_string(list_reverse(string_split(${x!.sql}, '')), '')` : `list_reverse(${x!.sql})`),
  repeat: plain('repeat'),
  space: ([n]) => `repeat(' ', ${n!.sql})`,
  soundex: kernel('soundex'),
  levenshtein: (args) => `spark_levenshtein${args.length === 3 ? '_within' : ''}(${args.map((a) => a.sql).join(', ')})`,
  luhn_check: kernel('luhn_check'),
  mask: kernel('mask'),
  ascii: ([x]) => `CASE WHEN ${x!.sql} = '' THEN 0 ELSE unicode(${x!.sql}) END`,
  char: ([code]) => `CASE WHEN ${code!.sql} < 0 THEN '' ELSE chr(CAST(${code!.sql} % 256 AS INTEGER)) END`,
  base64: kernel('base64'),
  unbase64: kernel('unbase64'),
  hex: plain('hex'),
  unhex: kernel('unhex'),
  encode: kernel('encode'),
  decode: kernel('decode'),
  format_string: formatString,
  format_number: formatNumber,
  to_number: toNumber,
  try_to_number: toNumber,
  to_char: toChar,
  to_binary: toBinary,
  try_to_binary: toBinary,
  // a text of ours is always UTF-8
  is_valid_utf8: ([x]) => (x!.nullable ? `CASE WHEN ${x!.sql} IS NOT NULL THEN true END` : 'true'),
  quote: ([x]) => `CAST('''' || replace(${x!.sql}, '''', '\\''') || '''' AS VARCHAR)`,
}
