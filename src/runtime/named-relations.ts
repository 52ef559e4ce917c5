import { InvalidQueryError } from '../base/errors.ts'
import type { Relation, SqlBatch } from '../sql/sql-batch.ts'

interface Held {
  readonly sql: SqlBatch
  readonly relation: Relation
}

/** Relations that live only while user code or a query's outputs work with them. */
export class NamedRelations {
  readonly #held = new Map<string, Held>()
  #count = 0
  with<T>(sql: SqlBatch, relation: Relation, use: (name: string) => Promise<T>): Promise<T> {
    const name = `batch_${++this.#count}`
    return this.withName(name, sql, relation, () => use(name))
  }
  /** The same under a name that the caller has made up, which must be its own. */
  async withName<T>(name: string, sql: SqlBatch, relation: Relation, use: () => Promise<T>): Promise<T> {
    this.#held.set(name, { sql, relation })
    try {
      return await use()
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
