/** What the planner's tests run its SQL on. */
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import type { DataType } from '../../src/data/types.ts'
import type { Expression, Literal, LiteralValue } from '../../src/plan/expression.ts'
import { expressionSql } from '../../src/planner/expression-sql.ts'
import { literalSql } from '../../src/planner/sql-text.ts'
import { registerKernels } from '../../src/sql/kernels/register.ts'

export const batchTimestamp = "TIMESTAMP '2026-01-31 12:00:00.5'"
export const salt = 'a salt'

/** The text with the batch's parameters and its inputs filled in. */
export function fillIn(sql: string, inputs: readonly string[] = []): string {
  return inputs.reduce(
    (text, input, i) => text.replaceAll(`⟦${i}⟧`, input),
    sql.replaceAll('⟦batch_timestamp⟧', batchTimestamp).replaceAll('⟦salt⟧', `'${salt}'`),
  )
}

export class DuckDb {
  readonly connection: DuckDBConnection
  readonly #instance: DuckDBInstance
  private constructor(instance: DuckDBInstance, connection: DuckDBConnection) {
    this.#instance = instance
    this.connection = connection
  }
  static async open(): Promise<DuckDb> {
    const instance = await DuckDBInstance.create(':memory:', { threads: '2' })
    const connection = await instance.connect()
    await connection.run("SET TimeZone = 'America/New_York'") // nothing may hang on it
    registerKernels((connection as unknown as { connection: never }).connection)
    return new DuckDb(instance, connection)
  }
  async rows(sql: string): Promise<unknown[][]> {
    return (await this.connection.runAndReadAll(sql)).getRowsJS()
  }
  /** All values as text, null for null. */
  async texts(sql: string): Promise<(string | null)[][]> {
    const reader = await this.connection.runAndReadAll(sql)
    return reader.getRows().map((row) => row.map((value) => (value === null ? null : Object.is(value, -0) ? '-0' : String(value))))
  }
  async run(sql: string): Promise<void> {
    await this.connection.run(sql)
  }
  /** The expression over one row of the columns, as text; the columns come from a table, so that nothing is folded while planning. */
  async evaluate(
    e: Expression,
    columns: readonly { readonly value: LiteralValue; readonly type: DataType }[] = [],
  ): Promise<string | null> {
    await this.run(
      `CREATE OR REPLACE TEMP TABLE one_row AS SELECT 0 AS row${columns.map(({ value, type }, i) => `, ${literalSql(value, type)} AS c${i}`).join('')}`,
    )
    const [row] = await this.texts(fillIn(`SELECT CAST(${expressionSql(e, { column: (i) => `t.c${i}` })} AS VARCHAR) FROM one_row AS t`))
    return row![0]!
  }
  close(): void {
    this.connection.closeSync()
    this.#instance.closeSync()
  }
}

export function literal(value: LiteralValue, type: DataType): Literal {
  return { kind: 'literal', value, type, nullable: value === null }
}
