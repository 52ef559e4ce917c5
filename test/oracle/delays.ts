/**
 * Other timings than those of a quiet machine (MILLRACE_ORACLE_DELAYS=true): calls of the SQL engine and of the file system begin late and end late, each by a
 * random bit, so that what a batch does side by side comes in other orders. What comes out must not depend on it.
 */
import { LocalFiles } from '../../src/base/local-files.ts'
import { SqlBatchRun } from '../../src/sql/sql-batch-run.ts'

const delayed = [
  [SqlBatchRun.prototype, ['source', 'keyedColumns', 'materialize', 'load', 'columnsAt', 'measure', 'prefetch']],
  [LocalFiles.prototype, ['create', 'createExclusive', 'read', 'list', 'delete']],
] as const

export function delayCalls(): void {
  for (const [prototype, names] of delayed) {
    const methods = prototype as unknown as Record<string, (...given: unknown[]) => Promise<unknown>>
    for (const name of names) {
      const method = methods[name]!
      methods[name] = async function (...given) {
        await somewhile()
        const result = await method.apply(this, given)
        await somewhile()
        return result
      }
    }
  }
}

function somewhile(): Promise<void> {
  const lot = Math.random()
  if (lot < 0.4) return Promise.resolve()
  return new Promise((resolve) => (lot < 0.7 ? setImmediate(resolve) : setTimeout(resolve, 3 * Math.random())))
}
