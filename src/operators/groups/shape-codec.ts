/** Values of a state between the program's hands and the columns of a store. */
import { InvalidQueryError, MillraceError } from '../../base/errors.ts'
import type { Column } from '../../data/column-batch.ts'
import type { Row } from '../../data/row-set.ts'
import { Schema } from '../../data/schema.ts'
import { type StateShape, shapeSchema } from '../../data/state-layout.ts'
import type { DataType } from '../../data/types.ts'
import { columnsToRows, fromPhysical, rowsToColumns, toPhysical } from '../../data/values.ts'

export class ShapeCodec {
  readonly shape: StateShape
  /** The columns, under the names that the program knows. */
  readonly schema: Schema
  readonly #isFlat: boolean

  /** `canBeAbsent`: the store has nulls in all columns where there is no value. */
  constructor(shape: StateShape, canBeAbsent = false) {
    this.shape = shape
    const { fields } = shapeSchema(shape)
    this.schema = canBeAbsent ? new Schema(fields.map((field) => ({ ...field, nullable: true }))) : shapeSchema(shape)
    this.#isFlat = fields.every(({ type }) => isFlat(type))
  }

  /**
   * A value as rows come out (a long is a bigint, …), a copy of its own: what the program does with the object afterwards changes nothing.
   * InvalidQueryError names the place: ILLEGAL_STATE_STORE_VALUE.NULL_VALUE, INVALID_EXTERNAL_TYPE, NUMERIC_VALUE_OUT_OF_RANGE, NOT_NULL_ASSERT_VIOLATION.
   */
  normal(value: unknown, place: string): unknown {
    if (value === null || value === undefined)
      throw new InvalidQueryError('ILLEGAL_STATE_STORE_VALUE.NULL_VALUE', {
        what: `${place} was given ${value}, and a state is never null`,
        todo: 'clear or remove it, or declare a row with a nullable field',
      })
    const { shape } = this
    if (shape.kind === 'single') return normalCell(shape.type, value, place)
    if (typeof value !== 'object' || Array.isArray(value))
      throw new InvalidQueryError('INVALID_EXTERNAL_TYPE', {
        what: `${place} was given a ${Array.isArray(value) ? 'list' : typeof value}, and its value is a row`,
        todo: `give an object with the fields ${shape.fields.map(({ name }) => name).join(', ')}`,
      })
    const row: Row = {}
    for (const { name, type, nullable } of shape.fields) {
      const cell = (value as Row)[name] ?? null
      if (cell === null && !nullable)
        throw new InvalidQueryError('NOT_NULL_ASSERT_VIOLATION', {
          what: `${place}.${name} is null, and the state does not allow nulls there`,
          todo: `give a value, or declare ${name} nullable`,
        })
      row[name] = cell === null ? null : normalCell(type, cell, `${place}.${name}`)
    }
    return row
  }

  /** A normal value that the program may change. */
  copy(value: unknown): unknown {
    if (!this.#isFlat) return this.normal(value, 'the state')
    return this.shape.kind === 'single' ? value : { ...(value as Row) }
  }

  /** Normal values as columns; undefined as nulls. */
  encode(values: readonly unknown[]): readonly Column[] {
    const rows = this.shape.kind === 'single' ? values.map((value) => ({ value })) : values.map((value) => (value ?? {}) as Row)
    return rowsToColumns(this.schema, rows).columns
  }
  decode(columns: readonly Column[], length: number): unknown[] {
    const rows = columnsToRows({ schema: this.schema, length, columns })
    return this.shape.kind === 'single' ? rows.map(({ value }) => value) : rows
  }
}

function isFlat(type: DataType): boolean {
  return typeof type === 'string' ? type !== 'binary' : type.kind === 'decimal'
}

function normalCell(type: DataType, value: unknown, place: string): unknown {
  if (type === 'string' && typeof value === 'string') return value
  try {
    const normal = fromPhysical(type, toPhysical(type, value))
    return normal instanceof Uint8Array ? normal.slice() : normal
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    throw new InvalidQueryError(error.code, { what: error.what.replace(/^the value/, place), todo: error.todo, cause: error })
  }
}
