import { InvalidQueryError } from '../base/errors.ts'
import { Options } from '../base/options.ts'
import type { TransactionId } from './transaction.ts'

export const transactionOptions = ['txnAppId', 'txnVersion'] as const

/** Which batch of which application a write is; null: none. InvalidQueryError DELTA_IDEMPOTENT_DML_OPTIONS where one of the two is missing. */
export function transactionIn(owner: string, options: Options): TransactionId | null {
  const appId = options.text('txnAppId')
  const version = options.wholeNumber('txnVersion', 0)
  if (appId === undefined && version === undefined) return null
  if (appId !== undefined && version !== undefined) return { appId, version }
  throw new InvalidQueryError('DELTA_INVALID_IDEMPOTENT_WRITES_OPTIONS', {
    what: `${owner} was given ${appId === undefined ? 'txnVersion without txnAppId' : 'txnAppId without txnVersion'}`,
    todo: "give both: option('txnAppId', name).option('txnVersion', batchId)",
  })
}
export function transactionOf(owner: string, given: Readonly<Record<string, string>>): TransactionId | null {
  return transactionIn(owner, new Options(owner, given, [...transactionOptions]))
}
