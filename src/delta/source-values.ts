/** What the values of a merge's source say of the rows of the table that they can match, so that files without such rows are not read. */
import type { Condition, ConditionValue } from '../data/condition.ts'
import type { DataType } from '../data/types.ts'
import { groupBy, limit } from '../plan/analyze.ts'
import type { Expression, UnresolvedExpression } from '../plan/expression.ts'
import { columnsRead, conjuncts, mapChildren } from '../plan/expression-tree.ts'
import type { LogicalPlan } from '../plan/logical-plan.ts'
import { columnOf } from '../plan/source-conditions.ts'
import { columnsOfTable } from './change-rows.ts'
import { call, columnAt, done } from './expressions.ts'
import type { TableAccess, TableView } from './transaction.ts'

/** Of more values the least and the largest count. */
const mostValues = 10_000

/** A column of the table that has to equal something of the source. */
interface Equality {
  readonly column: number
  /** Over the source's columns. */
  readonly value: Expression
  /** Whether nulls are equal to each other. */
  readonly isNullSafe: boolean
  readonly kind: ConditionValue['kind']
}

export async function sourceConditions(
  { engine }: TableAccess,
  view: TableView,
  { source, condition }: { readonly source: LogicalPlan; readonly condition: Expression },
): Promise<Condition[]> {
  if (view.files.length < 2) return []
  const width = columnsOfTable(view).fields.length
  const found: Condition[] = []
  for (const part of conjuncts(condition)) {
    const equality = equalityOf(part, width)
    if (equality) found.push(await conditionOf(equality, source, engine))
  }
  return found
}

function equalityOf(e: Expression, width: number): Equality | undefined {
  if (e.kind !== 'call' || (e.name !== '==' && e.name !== '<=>')) return undefined
  for (const [left, right] of [e.args, [...e.args].reverse()] as const) {
    const column = columnOf(left!)
    const kind = column && kindOf(right!.type, column.type)
    const read = [...columnsRead(right!)]
    if (!kind || column.index >= width || read.length === 0 || read.some((index) => index < width)) continue
    return { column: column.index, value: behind(right!, width), isNullSafe: e.name === '<=>', kind }
  }
  return undefined
}
/** How values are told to be compared with a column; those of other types are not. */
function kindOf(type: DataType, columnType: DataType): ConditionValue['kind'] | undefined {
  const isNumber = (t: DataType) => (typeof t === 'string' ? ['byte', 'short', 'int', 'long'].includes(t) : t.kind === 'decimal')
  if (isNumber(type) && isNumber(columnType)) return 'number'
  if (type !== columnType) return undefined
  if (type === 'string') return 'text'
  return type === 'date' || type === 'timestamp_ntz' ? type : undefined
}
function behind(e: Expression, width: number): Expression {
  return e.kind === 'column' ? { ...e, index: e.index - width } : mapChildren(e, (child) => behind(child, width))
}

async function conditionOf(
  { column, value, isNullSafe, kind }: Equality,
  source: LogicalPlan,
  engine: TableAccess['engine'],
): Promise<Condition> {
  const asText = (e: UnresolvedExpression): UnresolvedExpression => ({ kind: 'cast', input: e, type: 'string', mode: 'ansi' })
  const distinct = groupBy(source, [{ name: 'v', expression: asText(done(value)) }], [])
  const texts = await engine.runBatch(limit(distinct, mostValues + 1), async (rows) =>
    (await rows.toObjects()).map((row) => row['v'] as string | null),
  )
  const equal: Condition =
    texts.length > mostValues
      ? await between()
      : { kind: 'in', column, values: texts.flatMap((text) => (text === null ? [] : [{ kind, text }])) }
  const mayBeNull = isNullSafe && (texts.length > mostValues || texts.includes(null))
  return mayBeNull ? { kind: 'or', parts: [equal, { kind: 'null', column, isNull: true }] } : equal

  async function between(): Promise<Condition> {
    const ends = groupBy(
      source,
      [],
      [
        { name: 'least', expression: call('min', done(value)) },
        { name: 'most', expression: call('max', done(value)) },
      ],
    )
    const { fields } = ends.schema
    const [row] = await engine.runBatch(
      groupBy(
        ends,
        [
          { name: 'least', expression: asText(columnAt(fields, 0)) },
          { name: 'most', expression: asText(columnAt(fields, 1)) },
        ],
        [],
      ),
      (rows) => rows.toObjects(),
    )
    return {
      kind: 'and',
      parts: [
        { kind: 'compare', column, operator: '>=', value: { kind, text: String(row!['least']) } },
        { kind: 'compare', column, operator: '<=', value: { kind, text: String(row!['most']) } },
      ],
    }
  }
}
