import { assert } from '../base/errors.ts'
import type { StateSchema } from '../data/state-schema.ts'
import type { KeptStore } from './kept-store.ts'
import { isRelabelling } from './match-state.ts'
import { MemoryStateStore } from './memory-state-store.ts'
import { migrateRows, migrateStore } from './migrate-store.ts'
import type { StoreId } from './state-files.ts'
import type { StoredSchema } from './state-schema-file.ts'
import type { KeyedBatch } from './state-store.ts'

/**
 * A store on its way through the versions of a load. Its rows stand in the schema of the version that has been reached, and are migrated where a later
 * version has another one: so files of any age are read as they were written, and a load ends in the schema that the query wants.
 */
export class LoadingStore {
  readonly id: StoreId
  readonly #salt: string
  readonly #schemas: ReadonlyMap<number, StoredSchema>
  /** Those that lead to the last one. */
  readonly #chain: ReadonlySet<number>
  readonly #last: number
  readonly #lastStore: KeptStore
  #store: KeptStore | undefined
  #schemaId: number | undefined
  #isMigrated = false

  /** `schemas`: all that the checkpoint has, and the one that the query wants, whose id is `last`; the load ends in `lastStore`, of any provider. */
  constructor(id: StoreId, schemas: readonly StoredSchema[], last: number, lastStore: KeptStore, salt: string) {
    this.id = id
    this.#schemas = new Map(schemas.map((stored) => [stored.schemaId, stored]))
    this.#last = last
    this.#lastStore = lastStore
    this.#salt = salt
    this.#chain = new Set(chainOf(this.#schemas, last))
  }

  /** The schema that the store began with. */
  get beganAs(): number {
    return Math.min(...this.#chain)
  }

  /**
   * Whether rows of that schema are wanted. Those of a schema that no migration leads on from are of a variable that was deleted, before another one began
   * under its name. Of a schema that the checkpoint lacks they are wanted: whoever reads them says that it is missing.
   */
  reads(schemaId: number): boolean {
    return this.#chain.has(schemaId) || !this.#schemas.has(schemaId)
  }

  /** The schema in which the files of an id are read: with the names that the query has now, where nothing else has changed since. */
  schemaOf(schemaId: number): StateSchema | undefined {
    for (let at = this.#schemas.get(this.#last); at !== undefined; at = this.#schemas.get(at.migration.from)) {
      if (at.schemaId === schemaId) return this.#schemas.get(this.#last)!.schema
      const before = at.migration && this.#schemas.get(at.migration.from)
      if (at.migration === undefined || before === undefined || !isRelabelling(before.schema, at)) break
    }
    return this.#schemas.get(schemaId)?.schema
  }

  /** The store, which stands in that schema, or comes to stand in it: migrated, or empty where the load has met nothing of it so far. */
  in(schemaId: number): KeptStore {
    if (this.#store === undefined || this.#schemaId === undefined) this.#begin(schemaId)
    else if (schemaId > this.#schemaId) this.#moveTo(schemaId)
    return this.#store!
  }
  get numRows(): number {
    return this.#store?.numRows ?? 0
  }
  get memoryUsedBytes(): number {
    return this.#store?.memoryUsedBytes ?? 0
  }
  /** Undefined where the load has met nothing of the store. */
  get schemaId(): number | undefined {
    return this.#schemaId
  }

  /** The store in the schema that the query wants. */
  finish(): { readonly store: KeptStore; readonly isMigrated: boolean } {
    return { store: this.in(this.#last), isMigrated: this.#isMigrated }
  }

  /** Whether rows that a manifest of that schema names (undefined: there is none) are rows of the schema that the query wants. */
  isSettledIn(schemaId: number | undefined): boolean {
    const last = this.#schemas.get(this.#last)!
    if (schemaId !== undefined) return this.schemaOf(schemaId) === last.schema
    for (let at: StoredSchema | undefined = last; at?.migration !== undefined; at = this.#schemas.get(at.migration.from)) {
      if (this.schemaOf(at.migration.from) !== last.schema) return false
    }
    return true
  }

  #storeFor(schema: StateSchema): KeptStore {
    const { keyGroups, version } = this.#lastStore
    return schema === this.#schemas.get(this.#last)!.schema ? this.#lastStore : new MemoryStateStore(schema, keyGroups, version)
  }

  /** Rows out of the store, or out of a changelog in the store's schema, as the schema that the query wants has them. */
  inLast(rows: KeyedBatch): KeyedBatch {
    return this.#steps(this.#schemaId!, this.#last).reduce(
      (batch, { migration, schemaId }) =>
        migrateRows(batch, this.schemaOf(migration!.from)!, migration!, this.schemaOf(schemaId)!, this.#salt),
      rows,
    )
  }

  #begin(schemaId: number): void {
    this.#store = this.#storeFor(this.schemaOf(schemaId)!)
    this.#schemaId = schemaId
  }

  #moveTo(schemaId: number): void {
    for (const step of this.#steps(this.#schemaId!, schemaId)) {
      const from = this.#store!
      if (this.schemaOf(step.schemaId) !== from.schema) {
        const isSame = isRelabelling(from.schema, step)
        const to = this.#storeFor(this.schemaOf(step.schemaId)!)
        migrateStore(from, step.migration!, to, this.#salt)
        from.clear()
        this.#store = to
        this.#isMigrated ||= !isSame
      }
      this.#schemaId = step.schemaId
    }
  }
  /** The schemas after `from` up to `to`. */
  #steps(from: number, to: number): StoredSchema[] {
    const steps: StoredSchema[] = []
    for (let at = to; at !== from; ) {
      const stored = this.#schemas.get(at)
      assert(stored?.migration !== undefined, `state schema ${to} of operator ${this.id} comes from schema ${from}`)
      steps.unshift(stored)
      at = stored.migration.from
    }
    return steps
  }
}

/** Ids of the schemas that lead to `last` by migrations, the newest first. */
export function chainOf(schemas: ReadonlyMap<number, StoredSchema>, last: number): number[] {
  const chain: number[] = []
  for (let at = schemas.get(last); at !== undefined; at = at.migration && schemas.get(at.migration.from)) chain.push(at.schemaId)
  return chain
}
