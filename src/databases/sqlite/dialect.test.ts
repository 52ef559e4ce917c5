import { expect, test } from 'vitest'
import { type DataType, decimal } from '../../data/types.ts'
import { sqliteDialect } from './dialect.ts'

const takes = (typeText: string, type: DataType) => sqliteDialect.accepts(type, { typeText } as never)

test('a column whose name says what its text is takes nothing else', () => {
  const own = { DATE_TEXT: 'date', TIMESTAMP_TEXT: 'timestamp', DATETIME_TEXT: 'timestamp_ntz' } as const
  for (const [declared, type] of Object.entries(own)) {
    expect(takes(declared, type)).toBe(true)
    for (const other of ['string', 'long', decimal(5, 0)] as const) expect(takes(declared, other)).toBe(false)
  }
  expect(takes('DECIMAL_TEXT(10,2)', decimal(10, 2))).toBe(true)
  expect(takes('decimal_text(12, 4)', decimal(10, 2))).toBe(true)
  for (const other of [decimal(10, 3), decimal(11, 2), 'string', 'date'] as const) expect(takes('DECIMAL_TEXT(10,2)', other)).toBe(false)
  for (const type of ['string', 'date', decimal(30, 3)] as const) expect(takes('TEXT', type)).toBe(true)
})
