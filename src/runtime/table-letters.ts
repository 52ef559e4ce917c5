import { Schema } from '../data/schema.ts'
import { columnsToRows, rowsToColumns } from '../data/values.ts'
import { named } from '../planner/late-rows.ts'
import type { Relation, SqlBatch } from '../sql/sql-batch.ts'

/** So many letters are remembered; the oldest are forgotten, and come once more. */
const remembered = 100_000

/**
 * The letters that rows of joined tables have left since the query was started. Such a table is read anew in each batch, and its broken rows with it: each is a letter in the first batch that reads it, and
 * another one only where it has changed.
 */
export class TableLetters {
  readonly #known = new Set<string>()
  /** Of the batch that runs: a table may be read twice in it. */
  #taken: string[] = []

  /** Those letters that no earlier batch has taken. `place`: of which rows they are. */
  async newOnes(sql: SqlBatch, place: string, letters: Relation): Promise<Relation> {
    const width = letters.schema.fields.length
    const cells = Array.from({ length: width }, (_, i) => `t0.c${i}`)
    // rows that are alike are told apart by a number
    const number = `row_number() OVER (PARTITION BY ${cells.join(', ')})`
    const print = `md5(CAST(row(${[...cells, number].join(', ')}) AS VARCHAR))`
    const printed = await sql.materialize(
      sql.fragment(`SELECT ${named([...cells, print])} FROM ⟦0⟧ AS t0`, [letters], new Schema([...letters.schema.fields, printField])),
    )
    const prints = columnsToRows(await sql.columnsAt(printed, [width])).map((row) => `${place} ${row[printField.name] as string}`)
    const isNew = prints.map((key) => !this.#known.has(key))
    this.#taken.push(...prints.filter((_, i) => isNew[i]))
    if (isNew.every(Boolean)) return letters
    const flags = rowsToColumns(
      newSchema,
      isNew.map((fresh) => ({ fresh })),
    )
    const flagged = await sql.withColumns(printed, width, flags)
    return sql.fragment(`SELECT ${named(cells)} FROM ⟦0⟧ AS t0 WHERE t0.c${width}`, [flagged], letters.schema)
  }

  /** The batch's letters are delivered. */
  remember(): void {
    for (const key of this.#taken) this.#known.add(key)
    this.#taken = []
    for (const key of this.#known) {
      if (this.#known.size <= remembered) break
      this.#known.delete(key)
    }
  }
}

const printField = { name: 'print', type: 'string', nullable: false } as const
const newSchema = new Schema([{ name: 'fresh', type: 'boolean', nullable: false }])
