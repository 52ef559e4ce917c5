import { col, expr, t } from 'millrace'
import { describe, expect, test, vi } from 'vitest'
import { useEngine } from '../cases/harness.ts'
import { code, columnsOf, texts } from './rows.ts'

const engine = useEngine()
const people = () =>
  engine().createDataFrame(
    [
      { id: 1, name: 'ann', boss: null },
      { id: 2, name: 'bob', boss: 1 },
      { id: 3, name: 'cid', boss: 1 },
    ],
    { id: t.int(), name: t.string(), boss: t.int().nullable() },
  )
const badges = () =>
  engine().createDataFrame(
    [
      { id: 1n, badge: 'x' },
      { id: 3n, badge: 'y' },
      { id: 9n, badge: 'z' },
    ],
    { id: t.long(), badge: t.string() },
  )

describe('kinds of joins, under all of their names', () => {
  test.each([
    [
      ['inner', 'cross'],
      ['1 ann null x', '3 cid 1 y'],
    ],
    [
      ['left', 'leftouter', 'left_outer'],
      ['1 ann null x', '2 bob 1 null', '3 cid 1 y'],
    ],
    [
      ['right', 'rightouter', 'right_outer'],
      ['1 ann null x', '3 cid 1 y', '9 null null z'],
    ],
    [
      ['full', 'outer', 'fullouter', 'full_outer'],
      ['1 ann null x', '2 bob 1 null', '3 cid 1 y', '9 null null z'],
    ],
    [
      ['semi', 'leftsemi', 'left_semi'],
      ['1 ann null', '3 cid 1'],
    ],
    [['anti', 'leftanti', 'left_anti'], ['2 bob 1']],
  ] as const)('%s', async (words, expected) => {
    for (const word of words) expect(await texts(people().join(badges(), 'id', word as 'inner'))).toEqual(expected)
  })
  test('key columns of a full join have the type and the nulls of both', () => {
    expect(columnsOf(people().join(badges(), ['id'], 'full'))).toEqual(['id long', 'name string?', 'boss int?', 'badge string?'])
  })
  test('by a condition in each form', async () => {
    const expected = ['1 ann null 1 x', '3 cid 1 3 y']
    expect(await texts(people().join(badges(), (l, r) => l.id.eq(r.id)))).toEqual(expected)
    const [p, b] = [people().alias('p'), badges().alias('b')]
    expect(await texts(p.join(b, col('p.id').eq(col('b.id'))))).toEqual(expected)
    expect(await texts(p.join(b, expr('p.id = b.id')))).toEqual(expected)
    expect(await texts(p.join(b, [col('p.id').eq(col('b.id')), col('b.badge').eq('y')]))).toEqual(['3 cid 1 3 y'])
    expect(await texts(people().join(badges(), (l, r) => l.id.lt(r.id).and(r.badge.neq('z')), 'left_semi'))).toEqual([
      '1 ann null',
      '2 bob 1',
    ])
    expect(await people().crossJoin(badges()).count()).toBe(9)
  })
  test('a table with itself', async () => {
    const bosses = people()
      .alias('e')
      .join(people().alias('b'), col('e.boss').eq(col('b.id')), 'left')
      .select(col('e.name').as('name'), col('b.name').as('boss'))
    expect(await texts(bosses)).toEqual(['ann null', 'bob ann', 'cid ann'])
    const same = people()
    const twice = same.join(same, (e, b) => e.boss.eq(b.id))
    expect(twice.columns).toEqual(['id', 'name', 'boss', 'id', 'name', 'boss'])
    expect(await texts(twice.toDF('i', 'n', 'b', 'j', 'm', 'c').select('n', 'm'))).toEqual(['bob ann', 'cid ann'])
    await expect(twice.collect()).rejects.toThrow(code('COLUMN_ALREADY_EXISTS'))
    const print = vi.spyOn(console, 'log').mockImplementation(() => {})
    await twice.show(1)
    expect(print.mock.lastCall![0]).toContain('| id|name|boss| id|name|boss|')
    expect(print.mock.lastCall![0]).toContain('|  2| bob|   1|  1| ann|NULL|')
    print.mockRestore()
    expect(() => same.join(same, 'id').select('name')).toThrow(code('AMBIGUOUS_REFERENCE'))
  })
  test('what is no join', () => {
    expect(() => people().join(badges(), 'id', 'sideways' as 'inner')).toThrow(code('UNSUPPORTED_JOIN_TYPE'))
    expect(() => people().join(badges(), [] as never)).toThrow(code('MISSING_JOIN_CONDITION'))
    expect(() => people().join(badges(), undefined as never)).toThrow(code('MISSING_JOIN_CONDITION'))
    expect(() => people().join(badges(), 'badge' as never)).toThrow(code('UNRESOLVED_USING_COLUMN_FOR_JOIN'))
  })
})
