/** Properties of a table, as its metadata keeps them: given as options when the table is made. */
import { InvalidQueryError } from '../base/errors.ts'
import { Options } from '../base/options.ts'
import { bytesOf, durationMsOf } from '../base/quantities.ts'
import type { Metadata } from './actions.ts'

const flag = (value: string) => value === 'true' || value === 'false'
const count = (value: string) => /^\d+$/.test(value) && Number(value) > 0
const duration = (value: string) => durationMsOf(value.replace(/^interval\s+/i, '')) !== undefined

/** What a value has to be. */
const properties: Readonly<Record<string, { readonly fits: (value: string) => boolean; readonly form: string }>> = {
  'delta.appendOnly': { fits: flag, form: 'true or false' },
  'delta.enableChangeDataFeed': { fits: flag, form: 'true or false' },
  'delta.enableDeletionVectors': { fits: flag, form: 'true or false' },
  'delta.autoOptimize.autoCompact': { fits: flag, form: 'true or false' },
  'delta.checkpointInterval': { fits: count, form: 'a whole number from 1 up' },
  'delta.targetFileSize': { fits: (value) => (bytesOf(value) ?? 0) > 0, form: 'a size such as 128m' },
  'delta.deletedFileRetentionDuration': { fits: duration, form: 'a duration such as interval 7 days' },
  'delta.logRetentionDuration': { fits: duration, form: 'a duration such as interval 30 days' },
  'delta.enableExpiredLogCleanup': { fits: flag, form: 'true or false' },
  'delta.isolationLevel': {
    fits: (value) => value === 'Serializable' || value === 'WriteSerializable',
    form: 'Serializable or WriteSerializable',
  },
}
export const tableProperties = Object.keys(properties)

/** InvalidQueryError DELTA_UNKNOWN_CONFIGURATION for one that Millrace does not have, INVALID_OPTION_VALUE. */
export function propertiesIn(owner: string, given: Readonly<Record<string, string>>): Record<string, string> {
  const found: Record<string, string> = {}
  for (const [name, value] of Object.entries(given)) {
    if (!name.toLowerCase().startsWith('delta.')) continue
    const known = tableProperties.find((each) => each.toLowerCase() === name.toLowerCase())
    if (known === undefined) {
      throw new InvalidQueryError('DELTA_UNKNOWN_CONFIGURATION', {
        what: `${owner} was given the table property ${name}, which Millrace does not have`,
        todo: `leave it out; there are ${tableProperties.join(', ')}`,
      })
    }
    const { fits, form } = properties[known]!
    if (!fits(value))
      throw new InvalidQueryError('INVALID_OPTION_VALUE', {
        what: `${owner} was given ${known} = ${JSON.stringify(value)}, which is not ${form}`,
        todo: `give ${form}, or leave the option out`,
      })
    found[known] = value
  }
  return found
}

/** The options without properties. */
export function optionsWithoutProperties(owner: string, given: Readonly<Record<string, string>>, known: readonly string[]): Options {
  return new Options(owner, Object.fromEntries(Object.entries(given).filter(([name]) => !name.toLowerCase().startsWith('delta.'))), known)
}

/** How long versions can be read: `delta.logRetentionDuration`, 30 days by default; null where the log is never cleaned. */
export function logRetentionMsOf({ configuration }: Metadata): number | null {
  if (configuration?.['delta.enableExpiredLogCleanup']?.toLowerCase() === 'false') return null
  const given = configuration?.['delta.logRetentionDuration']
  if (given === undefined) return 30 * 24 * 3_600_000
  // what can't be read is no reason to remove anything
  return durationMsOf(given.replace(/^interval\s+/i, '')) ?? null
}

const weekMs = 7 * 24 * 3_600_000
/** How long files stay that left the table: `delta.deletedFileRetentionDuration`, a week by default. */
export function retentionMsOf(metadata: Metadata): number {
  const given = metadata.configuration?.['delta.deletedFileRetentionDuration']
  return (given === undefined ? undefined : durationMsOf(given.replace(/^interval\s+/i, ''))) ?? weekMs
}
