/** What there is by name: `engine.catalog`, in PySpark's words. */
import { InvalidQueryError } from '../base/errors.ts'
import { typeText } from '../data/types.ts'
import { functionTable } from '../plan/functions.ts'
import { isStreaming } from '../plan/logical-plan.ts'
import { ranking } from '../plan/window-names.ts'
import type { EnginePort } from '../query/engine-port.ts'
import { dropView, globalDatabase, relationNamed } from './views.ts'

export interface CatalogTable {
  readonly name: string
  readonly catalog: null
  /** `['global_temp']` for a global view, else empty. */
  readonly namespace: readonly string[]
  /** TEMPORARY: a view; MEMORY: what a query of format memory has written. */
  readonly tableType: 'TEMPORARY' | 'MEMORY'
  readonly isTemporary: true
  readonly isStreaming: boolean
}
export interface CatalogColumn {
  readonly name: string
  readonly dataType: string
  readonly nullable: boolean
}

/** Lists and drops temporary views; there are no databases of tables. */
export class Catalog {
  readonly #engine: EnginePort
  constructor(engine: EnginePort) {
    this.#engine = engine
  }
  currentCatalog(): string {
    return 'spark_catalog'
  }
  currentDatabase(): string {
    return 'default'
  }
  /** Views and memory tables; with a pattern (`*` for any letters, `|` between choices) those whose names fit. */
  listTables(database?: string | null, pattern = '*'): readonly CatalogTable[] {
    this.#checkDatabase(database)
    const fits = patternOf(pattern)
    const views = [...this.#engine.views.values()].map(({ name, plan }): CatalogTable => {
      const parts = name.split('.')
      return { ...table(parts.at(-1)!, parts.slice(0, -1)), tableType: 'TEMPORARY', isStreaming: isStreaming(plan) }
    })
    const held = this.#engine.heldTables.names.map(
      (name): CatalogTable => ({ ...table(name, []), tableType: 'MEMORY', isStreaming: false }),
    )
    const inGlobal = database?.toLowerCase() === globalDatabase
    return [...views, ...held].filter(({ name, namespace }) => fits(name) && namespace.length === (inGlobal ? 1 : 0))
  }
  tableExists(name: string, database?: string): boolean {
    try {
      relationNamed(this.#engine, database === undefined ? name.split('.') : [database, name])
      return true
    } catch (error) {
      if (error instanceof InvalidQueryError && error.code === 'TABLE_OR_VIEW_NOT_FOUND') return false
      throw error
    }
  }
  listColumns(name: string, database?: string): readonly CatalogColumn[] {
    const { fields } = relationNamed(this.#engine, database === undefined ? name.split('.') : [database, name]).schema
    return fields.map(({ name, type, nullable }) => ({ name, dataType: typeText(type), nullable }))
  }
  /** Names of Spark's functions that there are, and of the program's own. */
  listFunctions(pattern = '*'): readonly string[] {
    const fits = patternOf(pattern)
    const names = [
      ...functionTable.flatMap((row) => [row.name, ...row.aliases]),
      ...Object.keys(ranking),
      ...this.#engine.userFunctions.keys(),
    ]
    return [...new Set(names)].filter(fits).sort()
  }
  functionExists(name: string): boolean {
    return this.listFunctions().includes(name.toLowerCase())
  }
  /** Whether there was such a view. */
  dropTempView(name: string): boolean {
    return dropView(this.#engine, name, false)
  }
  dropGlobalTempView(name: string): boolean {
    return dropView(this.#engine, name, true)
  }
  /** Nothing is cached: every action reads its input anew. */
  isCached(_name: string): boolean {
    return false
  }
  clearCache(): void {}

  #checkDatabase(database: string | null | undefined): void {
    if (database === undefined || database === null || ['default', globalDatabase].includes(database.toLowerCase())) return
    throw new InvalidQueryError('SCHEMA_NOT_FOUND', {
      what: `the schema \`${database}\` cannot be found`,
      todo: `there are no databases here: name none, or ${globalDatabase}`,
    })
  }
}

function table(name: string, namespace: readonly string[]) {
  return { name, catalog: null, namespace, isTemporary: true } as const
}

/** Hive's patterns: `*` stands for anything, `|` for or; case does not matter. */
export function patternOf(pattern: string): (name: string) => boolean {
  const parts = pattern.split('|').map((part) =>
    part
      .trim()
      .replaceAll(/[.+?^${}()[\]\\]/g, String.raw`\$&`)
      .replaceAll('*', '.*'),
  )
  const wanted = new RegExp(`^(?:${parts.join('|')})$`, 'i')
  return (name) => wanted.test(name)
}
