import { InvalidQueryError } from '../base/errors.ts'
import type { Relation, SqlBatch } from '../sql/sql-batch.ts'

interface Held {
  readonly sql: SqlBatch
  readonly relation: Relation
}

/** Relations that live only while user code runs: the rows that foreachBatch gives. Names are never used twice. */
export class NamedRelations {
  readonly #held = new Map<string, Held>()
  #count = 0
  async with<T>(sql: SqlBatch, relation: Relation, use: (name: string) => Promise<T>): Promise<T> {
    const name = `batch_${++this.#count}`
    this.#held.set(name, { sql, relation })
    try {
      return await use(name)
    } finally {
      this.#held.delete(name)
    }
  }
  get(name: string): Held {
    const held = this.#held.get(name)
    if (held) return held
    throw new InvalidQueryError('BATCH_NO_LONGER_AVAILABLE', {
      what: 'a DataFrame that foreachBatch gave was used after its function had returned',
      todo: 'await all work inside the function; collect() the rows that are needed later',
    })
  }
}
