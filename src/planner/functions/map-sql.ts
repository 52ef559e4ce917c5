/** Maps made of entries, with Spark's errors for keys that are null or there twice. */
import type { MapType } from '../../data/types.ts'
import { bind, raise, sqlType } from '../sql-text.ts'

/** A map of a list of structs `{k, v}`; null of null. `name` stands for the list and must be free. */
export function mapOf(entries: string, type: MapType, name: string): string {
  const keys = `list_transform(${name}, lambda ${name}k: ${name}k.k)`
  const nullKey = raise('NULL_MAP_KEY', 'Cannot use null as map key.')
  const twice = `list_filter(${keys}, lambda ${name}x, ${name}i: list_position(${keys}, ${name}x) < ${name}i)[1]`
  const duplicate = raise('DUPLICATED_MAP_KEY', 'Duplicate map key {} was found, please check the input data.', `CAST(${twice} AS VARCHAR)`)
  return bind(
    entries,
    name,
    `CASE WHEN ${name} IS NULL THEN NULL WHEN list_count(${keys}) < len(${keys}) THEN ${nullKey} ` +
      `WHEN list_unique(${keys}) < len(${keys}) THEN ${duplicate} ELSE CAST(map_from_entries(${name}) AS ${sqlType(type)}) END`,
  )
}
