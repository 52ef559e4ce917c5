/** Bits of whole numbers. */
import type { DataType } from '../../data/types.ts'
import { raise, sqlType } from '../sql-text.ts'
import { infix, type Template, type Templates } from './template.ts'

const bits: Partial<Record<string, number>> = { byte: 8, short: 16, int: 32, long: 64 }
const widthOf = (type: DataType) => (typeof type === 'string' ? bits[type] : undefined) ?? 64

const shift: Template = (args, type, name) => `spark_${name}_${type === 'long' ? 'long' : 'int'}(${args.map((a) => a.sql).join(', ')})`

const getBit: Template = ([x, position]) => {
  const width = widthOf(x!.type)
  const wrong = raise(
    'INVALID_PARAMETER_VALUE.BIT_POSITION_RANGE',
    `The bit position of getbit must lie between 0 and ${width - 1}, and is {}.`,
    `CAST(${position!.sql} AS VARCHAR)`,
  )
  const bit = `CAST(spark_shiftright_long(CAST(${x!.sql} AS BIGINT), ${position!.sql}) & 1 AS TINYINT)`
  return `CASE WHEN ${position!.sql} < 0 OR ${position!.sql} >= ${width} THEN ${wrong} ELSE ${bit} END`
}

export const bitwise: Templates = {
  '&': infix('&'),
  '|': infix('|'),
  '^': ([a, b]) => `xor(${a!.sql}, ${b!.sql})`,
  '~': ([a], type) => `CAST(~ ${a!.sql} AS ${sqlType(type)})`,
  bit_count: ([x]) => `CAST(bit_count(CAST(${x!.sql} AS BIGINT)) AS INTEGER)`,
  getbit: getBit,
  shiftleft: shift,
  shiftright: shift,
  shiftrightunsigned: shift,
}
