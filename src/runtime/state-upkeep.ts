import { assert } from '../base/errors.ts'
import type { SqlBatch } from '../sql/sql-batch.ts'
import type { QueryState, StateStore } from '../state/state-store.ts'

/**
 * The state's upkeep after a commit (snapshots, removal of old files) takes some milliseconds of this thread. It is done while DuckDB computes the first
 * rows that a step with state of the next batch asks for, when the thread has nothing else to do. It needs the state as it was committed: a step gets its
 * store only when it is through.
 */
export class StateUpkeep {
  readonly #state: QueryState
  /** The upkeep that is due, where it has begun; null: it has not. */
  #running: Promise<void> | null = Promise.resolve()
  #isDone = true

  constructor(state: QueryState) {
    this.#state = state
  }

  /** A batch was committed. */
  due(): void {
    this.#running = null
    this.#isDone = false
  }

  /** Does what is due, or waits for it. */
  finish(): Promise<void> {
    this.#running ??= this.#run()
    return this.#running
  }
  async #run(): Promise<void> {
    await this.#state.afterCommit()
    this.#isDone = true
  }

  store(operatorId: number, name: string | undefined): StateStore {
    assert(this.#isDone, 'a step computes rows before it asks for its state')
    return this.#state.store(operatorId, name)
  }

  /** The engine as steps with state see it: rows come when the upkeep is through too. */
  beside(
    sql: SqlBatch,
  ): Pick<SqlBatch, 'fragment' | 'splitWhereItFails' | 'materialize' | 'keyedColumns' | 'release' | 'columnsAt' | 'load' | 'loadOwn'> {
    const both = async <T>(rows: Promise<T>): Promise<T> => {
      if (this.#isDone) return rows
      const [got] = await Promise.allSettled([rows, this.#whenIdle()])
      await this.finish()
      return got.status === 'fulfilled' ? got.value : rows
    }
    return {
      fragment: (text, inputs, schema) => sql.fragment(text, inputs, schema),
      splitWhereItFails: (rows, apart) => sql.splitWhereItFails(rows, apart),
      materialize: (rows) => both(sql.materialize(rows)),
      keyedColumns: (text, inputs, schema) => both(sql.keyedColumns(text, inputs, schema)),
      release: (rows) => sql.release(rows),
      columnsAt: (rows, positions) => both(sql.columnsAt(rows, positions)),
      load: (batch) => both(sql.load(batch)),
      loadOwn: (batch) => both(sql.loadOwn(batch)),
    }
  }

  /** The statement is on its way to DuckDB by the time the event loop comes round. */
  #whenIdle(): Promise<void> {
    return new Promise((resolve, reject) => setImmediate(() => this.finish().then(resolve, reject)))
  }
}
