import { InvalidQueryError } from '../base/errors.ts'
import { refusedFormats } from '../data/file-options.ts'
import type { SourceAbilities } from '../planner/source-abilities.ts'
import type { SourceProvider } from '../sources/provider.ts'

/** The provider that answers to a format's name, in any case of letters. InvalidQueryError DATA_SOURCE_NOT_FOUND names those there are. */
export function findProvider<P extends { readonly formats: readonly string[] }>(
  kind: 'sink' | 'stream source',
  format: string,
  providers: readonly P[],
): P {
  const provider = providers.find((each) => each.formats.includes(format.toLowerCase()))
  if (provider) return provider
  throw new InvalidQueryError('DATA_SOURCE_NOT_FOUND', {
    what: `there is no ${kind} with the format "${format}"`,
    todo:
      stateFormats[format.toLowerCase()] ??
      refusedFormats[format.toLowerCase()] ??
      `use one of ${providers.flatMap((each) => each.formats).join(', ')}`,
  })
}

const readAsTable = (name: string) => `the state of a query is read as a table: engine.read.format('${name}').load(checkpoint)`
const stateFormats: Readonly<Record<string, string>> = {
  statestore: readAsTable('statestore'),
  'state-metadata': readAsTable('state-metadata'),
}

/** What the sources of a query can do themselves. Where it keeps dead letters, whole records are judged. */
export function sourceAbilities(providers: readonly SourceProvider[], keepsDeadLetters = false): SourceAbilities {
  const providerOf = (format: string) => providers.find((each) => each.formats.includes(format.toLowerCase()))
  return {
    keepsDeadLetters,
    tellsPlaces: ({ format, instance }) => {
      const { originColumns = [], tellsRecords = false } = providerOf(format) ?? {}
      return keepsDeadLetters && (originColumns.length > 0 || (tellsRecords && instance === undefined))
    },
    parsesJson: (format) => providerOf(format)?.parsesJson ?? [],
    givesFields: ({ format, schema, options, instance }) =>
      !keepsDeadLetters && instance === undefined && (providerOf(format)?.givesFields?.(format, schema, options) ?? false),
  }
}
