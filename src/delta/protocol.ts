import { InvalidQueryError } from '../base/errors.ts'
import type { Metadata, Protocol } from './actions.ts'

/** Table features that a reader has to know, and of which this one does. */
const readable: ReadonlySet<string> = new Set([
  'columnMapping',
  'deletionVectors',
  'timestampNtz',
  'typeWidening',
  'typeWidening-preview',
  'v2Checkpoint',
  'vacuumProtocolCheck',
])

/** Writers' features whose rules are kept, be it because the table does not make use of them. */
const writable: ReadonlySet<string> = new Set([
  'appendOnly',
  'changeDataFeed',
  // vectors are written where the table's property asks for it, and heeded where they are
  'deletionVectors',
  'invariants',
  'timestampNtz',
  'vacuumProtocolCheck',
  'domainMetadata',
  'v2Checkpoint',
])

const newestReader = 3
const newestWriter = 7

/** InvalidQueryError DELTA_UNSUPPORTED_FEATURES_FOR_READ, DELTA_INVALID_PROTOCOL_VERSION. */
export function checkReadable(table: string, protocol: Protocol): void {
  const { minReaderVersion, readerFeatures } = protocol
  if (!(minReaderVersion >= 1 && minReaderVersion <= newestReader)) throw newerProtocol(table, 'reader', minReaderVersion, newestReader)
  if (minReaderVersion < 3) return
  refuse('DELTA_UNSUPPORTED_FEATURES_FOR_READ', table, 'reading', readerFeatures ?? [], readable)
}

/** InvalidQueryError DELTA_UNSUPPORTED_FEATURES_FOR_WRITE, DELTA_INVALID_PROTOCOL_VERSION. */
export function checkWritable(table: string, protocol: Protocol, metadata: Metadata): void {
  checkReadable(table, protocol)
  const { minWriterVersion, writerFeatures } = protocol
  if (!(minWriterVersion >= 1 && minWriterVersion <= newestWriter)) throw newerProtocol(table, 'writer', minWriterVersion, newestWriter)
  const features =
    minWriterVersion < 7 ? legacyFeatures(minWriterVersion, metadata) : [...(writerFeatures ?? []), ...invariantsIn(metadata)]
  refuse('DELTA_UNSUPPORTED_FEATURES_FOR_WRITE', table, 'writing', features, writable)
}

/** Before version 7 a table has all features of its version; those that it makes no use of ask nothing of a writer. */
function legacyFeatures(version: number, { configuration, schemaString }: Metadata): string[] {
  const used: string[] = []
  const set = (key: string) => configuration?.[key]
  if (version >= 2) used.push(...invariantsIn({ schemaString }))
  if (version >= 3 && Object.keys(configuration ?? {}).some((key) => key.startsWith('delta.constraints.'))) used.push('checkConstraints')
  if (version >= 4 && schemaString.includes('"delta.generationExpression"')) used.push('generatedColumns')
  if (version >= 5 && (set('delta.columnMapping.mode') ?? 'none') !== 'none') used.push('columnMapping')
  if (version >= 6 && schemaString.includes('"delta.identity.')) used.push('identityColumns')
  return used
}

/** The feature alone asks nothing; an expression in the schema does. */
function invariantsIn({ schemaString }: Pick<Metadata, 'schemaString'>): string[] {
  return schemaString.includes('"delta.invariants"') ? ['invariants (expressions in the schema)'] : []
}

function refuse(code: string, table: string, verb: string, features: readonly string[], known: ReadonlySet<string>): void {
  const unknown = features.filter((feature) => !known.has(feature))
  if (unknown.length === 0) return
  throw new InvalidQueryError(code, {
    what: `${verb} the Delta table ${table} takes table features that Millrace does not have: ${unknown.join(', ')}`,
    todo: 'use another engine for this table, or drop the features with ALTER TABLE … DROP FEATURE where its owner can do without them',
  })
}

function newerProtocol(table: string, who: string, version: number, newest: number): InvalidQueryError {
  return new InvalidQueryError('DELTA_INVALID_PROTOCOL_VERSION', {
    what: `the Delta table ${table} asks for ${who} version ${version}, and Millrace knows 1 to ${newest}`,
    todo: 'use a newer Millrace, or another engine for this table',
  })
}
