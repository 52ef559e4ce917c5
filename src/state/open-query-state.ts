import { join } from 'node:path'
import { FencedError, InvalidQueryError } from '../base/errors.ts'
import { type RestartRule, restartRules } from '../checkpoint/restart-rules.ts'
import { FileQueryState, type OpenOperator } from './file-query-state.ts'
import type { KeptStore } from './kept-store.ts'
import { loadState } from './load-state.ts'
import { LoadingStore } from './loading-store.ts'
import { LocalDatabase } from './local-database.ts'
import { LocalStateStore } from './local-state-store.ts'
import type { StateChange } from './match-columns.ts'
import { matchState, type OperatorMatch, refusedChanges, type StoreMatch } from './match-state.ts'
import { MemoryGuard } from './memory-guard.ts'
import { MemoryStateStore } from './memory-state-store.ts'
import { foreignFile } from './state-errors.ts'
import { type StoreId, schemaName, storeIdOf } from './state-files.ts'
import { StateMaintenance } from './state-maintenance.ts'
import { type OpenState, type StateSettings, settingsOf } from './state-options.ts'
import type { StoredStore } from './state-schema-file.ts'
import type { QueryState } from './state-store.ts'
import { readStoredStores } from './stored-stores.ts'

/**
 * Loads the state of a query at `version`, or begins an empty one at version 0. Where the query keeps something else than the checkpoint, the rows are
 * migrated on their way (match-state.ts says how); nothing is written before the first commit. CorruptCheckpointError names the file where one is missing,
 * damaged, of another query or of a newer release; InvalidQueryError where the state can't become that of the query.
 */
export async function openQueryState(options: OpenState): Promise<QueryState> {
  const settings = settingsOf(options)
  const stored = await readStoredStores(settings)
  checkKeyGroups(settings, stored)
  const matches = matchState(settings.operators, stored, settings)
  const refused = refusedChanges(matches)
  if (refused.length > 0) throw refusal(refused)
  checkLineages(matches, settings)
  const stores = matches.flatMap((match) => match.stores)
  const kept = new Map(stores.map(({ id, schema }, place) => [id, storeOf(schema, place, settings)]))
  const loading = new Map(stores.map((store) => [store.id, loadingStore(store, stored.get(store.id), kept.get(store.id)!, settings)]))
  const database = localDatabase(settings, kept, loading)
  const guard = settings.provider.kind === 'memory' ? new MemoryGuard(settings.provider) : null
  try {
    const isThere = [...stored.values()].some(({ isCurrent }) => isCurrent)
    const loaded = await loadState(settings, loading, database, isThere, { guard })
    const operators = new Map(
      stores.map((store) => {
        const isNew = settings.version > 0 && stored.get(store.id)?.isCurrent !== true
        return [store.id, openOperator(store, loading.get(store.id)!, isNew, loaded.manifest?.schemas.get(store.id), settings)]
      }),
    )
    database?.noteLoaded()
    const names = new Map(stores.map(({ operator, id }) => [storeIdOf(operator.operatorId, operator.storeName), id]))
    const deleted = new Set(matches.flatMap((match) => (match.deleted ?? []).map((name) => storeIdOf(match.operatorId!, name))))
    const maintenance = new StateMaintenance(settings, operators, loaded, [...stored.keys()])
    // a query that had no state before this version: nothing before it is ever to be read
    const begins = settings.version > 0 && !isThere && loaded.manifest === null
    return new FileQueryState(settings, operators, names, { maintenance, loaded, database, guard, begins, deleted })
  } catch (error) {
    await database?.close()
    throw error
  }
}

function storeOf(schema: StoreMatch['schema'], place: number, { provider, keyGroups, version }: StateSettings): KeptStore {
  return provider.kind === 'memory'
    ? new MemoryStateStore(schema, keyGroups, version)
    : new LocalStateStore(schema, keyGroups, place, version)
}

function localDatabase(
  { provider, queryId, keyGroups }: StateSettings,
  kept: ReadonlyMap<StoreId, KeptStore>,
  loading: ReadonlyMap<StoreId, LoadingStore>,
): LocalDatabase | null {
  if (provider.kind === 'memory') return null
  const stores = [...kept].flatMap(([id, store]) => {
    if (!(store instanceof LocalStateStore)) return []
    // a database on another machine may be from before a variable of this name and form was deleted
    const { beganAs } = loading.get(id)!
    return [[beganAs === 0 ? String(id) : `${id}#${beganAs}`, store] as const]
  })
  return new LocalDatabase(provider, queryId, keyGroups, new Map(stores))
}

function loadingStore(
  { id, schema, schemaId, newSchema }: StoreMatch,
  stored: StoredStore | undefined,
  kept: KeptStore,
  { salt }: StateSettings,
): LoadingStore {
  const known = stored?.versions ?? []
  // one of a start that died before its first commit counts for nothing, unless it is the one that is wanted
  const others = known.filter((each) => each.schemaId !== schemaId)
  const last = newSchema ?? { ...known.find((each) => each.schemaId === schemaId)!, schema }
  return new LoadingStore(id, [...others, last], schemaId, kept, salt)
}

function openOperator(
  { schemaId, newSchema }: StoreMatch,
  loading: LoadingStore,
  isNew: boolean,
  inManifest: number | undefined,
  { version }: StateSettings,
): OpenOperator {
  const { store, isMigrated } = loading.finish()
  store.committed(version)
  const isOld = isMigrated || (version > 0 && !isNew && !loading.isSettledIn(inManifest))
  return { store, schemaId, newSchema, snapshots: isOld ? 'none' : isNew ? 'empty' : 'loaded' }
}

function checkKeyGroups({ folder, keyGroups, version }: StateSettings, stored: ReadonlyMap<StoreId, StoredStore>): void {
  if (version === 0) return
  for (const [id, { current }] of stored) {
    if (current.keyGroups === keyGroups) continue
    throw foreignFile(
      join(folder, schemaName(id, current.schemaId)),
      `it has ${current.keyGroups} key groups, the checkpoint has ${keyGroups}`,
    )
  }
}

/** The plan was made for the state as it stood before this run owned the checkpoint. */
function checkLineages(matches: readonly OperatorMatch[], { operators, folder }: StateSettings): void {
  for (const { operatorId, lineages } of matches) {
    const planned = operators.find((each) => each.operatorId === operatorId)?.schema
    const others = planned?.aggregates?.map(({ columns }) => columns.map((at) => planned.values[at]!.lineage)[0])
    if (lineages === undefined || others === undefined || lineages.every((lineage, i) => lineage === others[i])) continue
    throw new FencedError('CONCURRENT_STREAM_LOG_UPDATE', {
      what: `the state in ${folder} was changed by another run while this one started`,
      todo: 'stop one of the two runs of this checkpoint',
    })
  }
}

function refusal(refused: readonly StateChange[]): InvalidQueryError {
  const rule: RestartRule = restartRules[refused[0]!.rule]
  return new InvalidQueryError(rule.code!, {
    what: `the state of the checkpoint can't become that of the query: ${refused.map(({ what }) => what).join('; ')} (${rule.because})`,
    todo: rule.todo!,
  })
}
