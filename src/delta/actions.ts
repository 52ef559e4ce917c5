/** What stands in a Delta log, as the protocol names it (PROTOCOL.md of the Delta project). Only what Millrace reads or writes is spelt out; the rest is kept as it came. */

export interface Protocol {
  readonly minReaderVersion: number
  readonly minWriterVersion: number
  readonly readerFeatures?: readonly string[] | null
  readonly writerFeatures?: readonly string[] | null
}

export interface Metadata {
  readonly id: string
  readonly name?: string | null
  readonly description?: string | null
  readonly format?: { readonly provider: string; readonly options?: Readonly<Record<string, string>> } | null
  /** Spark's JSON of a struct type. */
  readonly schemaString: string
  readonly partitionColumns: readonly string[]
  readonly configuration?: Readonly<Record<string, string>> | null
  readonly createdTime?: number | null
}

/** Rows of a file that are gone, without the file being written again. */
export interface DeletionVectorDescriptor {
  /** `u`: a file named by an encoded UUID below the table, `p`: a file by its absolute path, `i`: the bits themselves. */
  readonly storageType: 'u' | 'p' | 'i'
  readonly pathOrInlineDv: string
  readonly offset?: number | null
  readonly sizeInBytes: number
  readonly cardinality: number
}

export interface AddFile {
  /** Percent-encoded; relative to the table, or absolute. */
  readonly path: string
  readonly partitionValues: Readonly<Record<string, string | null>>
  readonly size: number
  /** Milliseconds. */
  readonly modificationTime: number
  readonly dataChange: boolean
  /** JSON: numRecords, minValues, maxValues, nullCount. */
  readonly stats?: string | null
  readonly tags?: Readonly<Record<string, string>> | null
  readonly deletionVector?: DeletionVectorDescriptor | null
}

export interface RemoveFile {
  readonly path: string
  readonly deletionTimestamp?: number | null
  readonly dataChange: boolean
  readonly extendedFileMetadata?: boolean | null
  readonly partitionValues?: Readonly<Record<string, string | null>> | null
  readonly size?: number | null
  readonly deletionVector?: DeletionVectorDescriptor | null
}

/** A file of the change data feed. */
export interface AddCdcFile {
  readonly path: string
  readonly partitionValues: Readonly<Record<string, string | null>>
  readonly size: number
  readonly dataChange: false
}

/** How far an application has come: what makes a batch that is written twice count once. */
export interface SetTransaction {
  readonly appId: string
  readonly version: number
  readonly lastUpdated?: number | null
}

export interface CommitInfo {
  readonly timestamp?: number
  /** With the feature inCommitTimestamp: when the commit was made, never falling. */
  readonly inCommitTimestamp?: number
  readonly operation?: string
  readonly operationParameters?: Readonly<Record<string, unknown>>
  readonly [key: string]: unknown
}

export interface DomainMetadata {
  readonly domain: string
  readonly configuration: string
  readonly removed: boolean
}

/** Of a checkpoint of the second version: a file beside it that holds the rest of its actions. */
export interface Sidecar {
  readonly path: string
  readonly sizeInBytes: number
  readonly modificationTime: number
}

/** One line of a commit or row of a checkpoint: exactly one of these is there. */
export interface Action {
  readonly protocol?: Protocol | null
  readonly metaData?: Metadata | null
  readonly add?: AddFile | null
  readonly remove?: RemoveFile | null
  readonly cdc?: AddCdcFile | null
  readonly txn?: SetTransaction | null
  readonly commitInfo?: CommitInfo | null
  readonly domainMetadata?: DomainMetadata | null
  readonly sidecar?: Sidecar | null
}

/** What tells an entry of the log from others: a file may come again with other rows deleted. */
export function fileKey(path: string, vector: DeletionVectorDescriptor | null | undefined): string {
  return vector ? `${path}\n${vector.storageType}${vector.pathOrInlineDv}@${vector.offset ?? ''}` : path
}
