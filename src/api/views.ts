/** Names of relations: temporary views, and the tables that queries of format memory hold. */
import { InvalidQueryError } from '../base/errors.ts'
import { nearest } from '../base/suggest.ts'
import type { LogicalPlan } from '../plan/logical-plan.ts'
import type { QueryCatalog } from '../plan/queries/catalog.ts'
import type { EnginePort } from '../query/engine-port.ts'

export const globalDatabase = 'global_temp'

/** The relation of a name such as `clicks` or `global_temp.clicks`. TABLE_OR_VIEW_NOT_FOUND. */
export function relationNamed(engine: EnginePort, parts: readonly string[]): LogicalPlan {
  const own = parts.length > 1 && sameWord(parts[0]!, 'default') ? parts.slice(1) : parts
  const view = engine.views.get(own.join('.').toLowerCase())
  const found = view?.plan ?? (own.length === 1 ? engine.heldTables.get(own[0]!) : undefined)
  if (found) return found
  const names = [...[...engine.views.values()].map(({ name }) => name), ...engine.heldTables.names]
  const near = nearest(parts.at(-1)!, names, 3)
  throw new InvalidQueryError('TABLE_OR_VIEW_NOT_FOUND', {
    what: `the table or view ${parts.map((part) => `\`${part}\``).join('.')} cannot be found`,
    todo:
      names.length === 0
        ? 'name a frame first: frame.createTempView(name)'
        : `did you mean ${(near.length > 0 ? near : names.slice(0, 5)).map((name) => `\`${name}\``).join(', ')}? Others are named by frame.createTempView(name)`,
  })
}
export function catalogOf(engine: EnginePort): QueryCatalog {
  return { relation: (name) => relationNamed(engine, name), userFunctions: engine.userFunctions }
}

/** The key of a view among the engine's. */
function viewKey(name: string, global: boolean): string {
  return (global ? `${globalDatabase}.${name}` : name).toLowerCase()
}

/** INVALID_TEMP_OBJ_NAME for a name with a database, TEMP_TABLE_OR_VIEW_ALREADY_EXISTS. */
export function createView(
  engine: EnginePort,
  given: string,
  plan: LogicalPlan,
  { global, replace }: { readonly global: boolean; readonly replace: boolean },
): void {
  const name = /^`([^`]+)`$/.exec(given)?.[1] ?? given
  if (name === '' || name.includes('.'))
    throw new InvalidQueryError('TEMP_VIEW_NAME_TOO_MANY_NAME_PARTS', {
      what: `${JSON.stringify(given)} is no name for a temporary view`,
      todo: 'use one word, without a database in front',
    })
  const key = viewKey(name, global)
  if (!replace && engine.views.has(key))
    throw new InvalidQueryError('TEMP_TABLE_OR_VIEW_ALREADY_EXISTS', {
      what: `cannot create the temporary view \`${name}\` because it already exists`,
      todo: 'choose another name, drop the view, or replace it with createOrReplaceTempView',
    })
  engine.views.set(key, { name: global ? `${globalDatabase}.${name}` : name, plan })
}
/** Whether there was such a view. */
export function dropView(engine: EnginePort, name: string, global: boolean): boolean {
  return engine.views.delete(viewKey(name, global))
}
function sameWord(a: string, b: string): boolean {
  return a.toLowerCase() === b
}
