/** Digests and hashes. */
import type { DataType } from '../../data/types.ts'
import { fieldSql } from '../cast-sql.ts'
import { sqlType } from '../sql-text.ts'
import { bytesSql, isDecimal, type SqlArgument, type Template, type Templates, unsupported } from './template.ts'

const sha2: Template = ([x, bits]) => {
  const digest = (name: string) => (name === 'sha256' ? `sha256(${x!.sql})` : `spark_${name}(${bytesSql(x!)})`)
  const cases = [224, 256, 384, 512].map((size) => [size, digest(`sha${size}`)] as const)
  if (typeof bits!.literal === 'number') {
    const wanted = bits!.literal === 0 ? 256 : bits!.literal
    return cases.find(([size]) => size === wanted)?.[1] ?? 'CAST(NULL AS VARCHAR)'
  }
  return `CASE ${bits!.sql} WHEN 0 THEN ${digest('sha256')} ${cases.map(([size, sql]) => `WHEN ${size} THEN ${sql}`).join(' ')} END`
}

/** Value by value, each with the hash so far as its seed. */
const hashOf =
  (kernel: string, seed: string): Template =>
  (args) =>
    args.reduce((sum, arg) => step(kernel, sum, arg), seed)

function step(kernel: string, seed: string, { sql, type }: SqlArgument): string {
  if (type === 'void') return seed
  if (typeof type === 'string' || type.kind === 'decimal') {
    const [kind, value] = plainValue(sql, type)
    return `spark_${kernel}_${kind}(${seed}, ${value})`
  }
  return `spark_${kernel}_nested(${seed}, ${tokens(sql, type, 0)})`
}
/** How a value without parts is hashed, and the SQL of what is. */
function plainValue(sql: string, type: DataType): [kind: string, sql: string] {
  switch (type) {
    case 'boolean':
    case 'byte':
    case 'short':
      return ['int', `CAST(${sql} AS INTEGER)`]
    case 'int':
      return ['int', sql]
    case 'date':
      return ['int', `CAST(${sql} - DATE '1970-01-01' AS INTEGER)`]
    case 'timestamp':
    case 'timestamp_ntz':
      return ['long', `epoch_us(${sql})`]
    case 'long':
    case 'float':
    case 'double':
      return [type, sql]
    case 'string':
      return ['text', sql]
    case 'binary':
      return ['bytes', sql]
  }
  if (!isDecimal(type)) throw unsupported('a hash of a value of this type', 'cast it to string first')
  const digits = `replace(CAST(${sql} AS VARCHAR), '.', '')`
  return type.precision <= 18 ? ['long', `CAST(${digits} AS BIGINT)`] : ['number', digits]
}
const letters: Readonly<Record<string, string>> = { int: 'i', long: 'l', float: 'f', double: 'd', text: 's', bytes: 'x', number: 'n' }

/** All values inside an array or struct in order, as a list of texts that begin with what they are. */
function tokens(sql: string, type: DataType, depth: number): string {
  if (typeof type === 'string' || type.kind === 'decimal') {
    if (type === 'void') return 'CAST([] AS VARCHAR[])'
    const [kind, value] = plainValue(sql, type)
    return `['${letters[kind]}' || ${kind === 'bytes' ? `hex(${value})` : `CAST(${value} AS VARCHAR)`}]`
  }
  if (type.kind === 'array') {
    const name = `h${depth}`
    return `flatten(list_transform(${sql}, lambda ${name}: ${tokens(name, type.element, depth + 1)}))`
  }
  if (type.kind !== 'struct') throw unsupported('a hash of a map', 'hash map_entries(…)')
  const parts = type.fields.map((field) => tokens(fieldSql(sql, field.name), field.type, depth))
  return `list_concat(${parts.join(', ')}, CAST([] AS VARCHAR[]))`
}

export const hash: Templates = {
  md5: ([x]) => `md5(${x!.sql})`,
  sha1: ([x]) => `sha1(${x!.sql})`,
  sha2,
  crc32: ([x]) => `spark_crc32(${bytesSql(x!)})`,
  hash: hashOf('murmur3', '42'),
  xxhash64: hashOf('xxhash64', `CAST(42 AS ${sqlType('long')})`),
}
