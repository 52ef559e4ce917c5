import { join } from 'node:path'
import { InvalidQueryError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import type { StateSchema } from '../data/state-schema.ts'
import { FileQueryState, type OpenOperator } from './file-query-state.ts'
import { loadState } from './load-state.ts'
import { LocalDatabase } from './local-database.ts'
import { LocalStateStore } from './local-state-store.ts'
import { MemoryStateStore } from './memory-state-store.ts'
import { foreignFile } from './state-errors.ts'
import { type StoreId, schemaName, storeIdOf } from './state-files.ts'
import { StateMaintenance } from './state-maintenance.ts'
import { type OpenState, type StateOperator, type StateSettings, settingsOf } from './state-options.ts'
import { compatibleSchema, readSchemas, type StoredSchema } from './state-schema-file.ts'
import type { QueryState } from './state-store.ts'

/**
 * Loads the state of a query at `version`, or begins an empty one at version 0. CorruptCheckpointError names the file where one is missing, damaged,
 * of another query or of a newer release; InvalidQueryError where the operators or their schemas are not those of the checkpoint.
 */
export async function openQueryState(options: OpenState): Promise<QueryState> {
  const settings = settingsOf(options)
  const operators = await openOperators(settings)
  const database = localDatabase(settings, operators)
  try {
    const loaded = await loadState(settings, operators, database)
    for (const { store } of operators.values()) store.committed(settings.version)
    database?.noteLoaded()
    const maintenance = new StateMaintenance(settings, operators, loaded)
    return new FileQueryState(settings, operators, maintenance, loaded, database)
  } catch (error) {
    await database?.close()
    throw error
  }
}

function localDatabase(
  { provider, queryId, keyGroups }: StateSettings,
  operators: ReadonlyMap<StoreId, OpenOperator>,
): LocalDatabase | null {
  if (provider.kind === 'memory') return null
  const stores = [...operators].flatMap(([id, { store }]) => (store instanceof LocalStateStore ? [[String(id), store] as const] : []))
  return new LocalDatabase(provider, queryId, keyGroups, new Map(stores))
}

async function openOperators(settings: StateSettings): Promise<Map<StoreId, OpenOperator>> {
  const stored = await storedSchemas(settings)
  if (settings.version > 0) checkOperators(settings.operators, stored)
  const kept = settings.version > 0 ? keptVariables(settings.operators, stored) : []
  return new Map(
    [...settings.operators, ...kept].map((operator, place) => {
      const id = storeIdOf(operator.operatorId, operator.storeName)
      return [id, openOperator(settings, operator, place, stored.get(id) ?? [])]
    }),
  )
}

/** The schemas of every operator that the checkpoint has state of. */
async function storedSchemas({ files, folder, queryId }: StateSettings): Promise<Map<StoreId, StoredSchema[]>> {
  const ids = await storedIds(files, folder)
  const schemas = await Promise.all(ids.map(async (id) => [id, await readSchemas(files, folder, queryId, id)] as const))
  return new Map(schemas.filter(([, versions]) => versions.length > 0))
}

/** Operators, and behind them those of their stores that have a name. */
export async function storedIds(files: Files, folder: string): Promise<StoreId[]> {
  const foldersIn = async (path: string) =>
    (await files.list(path))
      .filter(({ isDirectory }) => isDirectory)
      .map(({ name }) => name)
      .sort()
  const operators = (await foldersIn(folder)).filter((name) => /^\d+$/.test(name)).map(Number)
  const stores = await Promise.all(
    operators.map(async (id) => {
      const names = (await foldersIn(join(folder, String(id)))).filter((name) => name !== '_schema' && name !== 'snapshots')
      return [id, ...names.map((name): StoreId => `${id}/${name}`)]
    }),
  )
  return stores.flat().sort(byStore)
}
function byStore(a: StoreId, b: StoreId): number {
  return Number.parseInt(String(a), 10) - Number.parseInt(String(b), 10) || (String(a) < String(b) ? -1 : 1)
}

function openOperator(
  { folder, keyGroups, version, provider }: StateSettings,
  operator: StateOperator,
  place: number,
  schemas: readonly StoredSchema[],
): OpenOperator {
  const { name, schema } = operator
  const operatorId = storeIdOf(operator.operatorId, operator.storeName)
  const newest = schemas.at(-1)
  const schemaId = newest?.schemaId ?? 0
  if (newest !== undefined && newest.keyGroups !== keyGroups && version > 0) {
    throw foreignFile(
      join(folder, schemaName(operatorId, schemaId)),
      `it has ${newest.keyGroups} key groups, the checkpoint has ${keyGroups}`,
    )
  }
  // at version 0 there is no state in any schema, whatever an earlier start has begun
  const effective = newest === undefined || version === 0 ? schema : compatibleSchema(name, schema, newest.schema)
  const byId = new Map<number, StateSchema>([...schemas.map((stored) => [stored.schemaId, stored.schema] as const), [schemaId, effective]])
  const first = { operatorId, operatorName: name, schemaId, keyGroups, schema }
  return {
    store:
      provider.kind === 'memory'
        ? new MemoryStateStore(effective, keyGroups, version)
        : new LocalStateStore(effective, keyGroups, place, version),
    schemaId,
    schemaOf: (id) => byId.get(id),
    newSchema: newest === undefined || (version === 0 && JSON.stringify(newest) !== JSON.stringify(first)) ? first : null,
  }
}

/** Variables of a processor may come and go: one that it does not declare any more keeps its rows until deleteIfExists removes them. */
function keptVariables(operators: readonly StateOperator[], schemas: ReadonlyMap<StoreId, readonly StoredSchema[]>): StateOperator[] {
  const wanted = new Set(operators.map(({ operatorId, storeName }) => storeIdOf(operatorId, storeName)))
  return [...schemas.values()].flatMap((versions) => {
    const { operatorId: id, operatorName, schema } = versions.at(-1)!
    if (wanted.has(id) || !isVariable(schema)) return []
    const [operatorId, storeName] = String(id).split('/')
    return [{ operatorId: Number(operatorId), name: operatorName, storeName: decodeURIComponent(storeName!), schema }]
  })
}
function isVariable({ variable }: StateSchema): boolean {
  return variable !== undefined && variable.kind !== 'group' && variable.kind !== 'timers'
}

/** The stateful operators of a query must be those that its state was written by. */
function checkOperators(operators: readonly StateOperator[], schemas: ReadonlyMap<StoreId, readonly StoredSchema[]>): void {
  // variables of a processor may come and go: they count as one
  const describe = (stores: readonly { readonly id: StoreId; readonly name: string; readonly schema: StateSchema }[]) => [
    ...new Set(
      stores
        .toSorted((a, b) => byStore(a.id, b.id))
        .map(({ id, name, schema }) => `${isVariable(schema) ? Number.parseInt(String(id), 10) : id} ${name}`),
    ),
  ]
  const stored = describe(
    [...schemas.values()]
      .map((versions) => versions.at(-1)!)
      .map(({ operatorId: id, operatorName: name, schema }) => ({ id, name, schema })),
  )
  const wanted = describe(
    operators.map(({ operatorId, storeName, name, schema }) => ({ id: storeIdOf(operatorId, storeName), name, schema })),
  )
  if (stored.join() === wanted.join()) return
  throw new InvalidQueryError('STREAMING_STATEFUL_OPERATOR_NOT_MATCH_IN_STATE_METADATA', {
    what: `the checkpoint has state of the operators (${stored.join(', ')}), and the query has (${wanted.join(', ')})`,
    todo: 'go back to the stateful operators that the checkpoint was begun with, or start the changed query with a new checkpoint',
  })
}
