/** Which providers of state the tests and long runs of this folder have. */
import { millrace } from 'millrace'

export const providerKey = 'spark.sql.streaming.stateStore.providerClass'
/** The providers of state that this installation has. */
export const providers: readonly string[] = await available(['memory', 'rocksdb'])

async function available(names: readonly string[]): Promise<string[]> {
  const found: string[] = []
  for (const name of names) {
    try {
      const engine = await millrace.local({ threads: 1, conf: { [providerKey]: name } })
      await engine.close()
      found.push(name)
    } catch (error) {
      if (!(error as { code?: string }).code?.startsWith('INVALID_CONF_VALUE')) throw error
    }
  }
  return found
}
