import { clusterKeys, clusterSingles } from './cluster-keys.ts'
import type { ConfRule, ConfTable } from './conf-key.ts'
import { fileKeys } from './file-keys.ts'
import { millraceKeys } from './millrace-keys.ts'
import { sqlKeys } from './sql-keys.ts'
import { stateKeys } from './state-keys.ts'
import { streamingKeys } from './streaming-keys.ts'

/** Every rule, by families: docs/configuration.md is made of this table. */
export const confFamilies: readonly { readonly title: string; readonly rules: ConfTable }[] = [
  { title: 'Queries', rules: streamingKeys },
  { title: 'State and checkpoints', rules: stateKeys },
  { title: 'Files', rules: fileKeys },
  { title: 'SQL', rules: sqlKeys },
  { title: 'Millrace', rules: millraceKeys },
  { title: 'Clusters', rules: { ...clusterKeys, ...clusterSingles } },
]
export const confRules: ConfTable = Object.assign({}, ...confFamilies.map((family) => family.rules))

const beginnings = Object.keys(confRules)
  .filter((key) => key.endsWith('*'))
  .map((key) => key.slice(0, -1))
  .sort((a, b) => b.length - a.length)

/** What holds for a key: its own rule, else that of its longest beginning. */
export function ruleOf(key: string): ConfRule | undefined {
  if (Object.hasOwn(confRules, key)) return confRules[key]
  const beginning = beginnings.find((each) => key.startsWith(each) && !key.endsWith('.'))
  return beginning === undefined ? undefined : confRules[`${beginning}*`]
}
/** The keys that have a rule of their own, for "did you mean". */
export const namedKeys: readonly string[] = Object.keys(confRules).filter((key) => !key.endsWith('*'))
