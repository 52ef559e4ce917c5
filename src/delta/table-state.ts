import { InvalidQueryError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import { type Action, type AddFile, fileKey, type Metadata, type Protocol, type RemoveFile } from './actions.ts'
import { commitPath } from './log-files.ts'
import { pathOf } from './paths.ts'
import { readCommit } from './read-actions.ts'
import { readSnapshot } from './snapshot.ts'

/**
 * A table that is followed: the state after the newest commit, brought up to date by the commits that came since, so that a look costs what is new and not
 * what the table holds.
 */
export class TableState {
  readonly table: string
  readonly #files: Files
  /** -1: there is no table yet. */
  version = -1
  protocol: Protocol | null = null
  metadata: Metadata | null = null
  readonly active = new Map<string, AddFile>()
  readonly removed = new Map<string, RemoveFile>()
  readonly transactions = new Map<string, number>()
  readonly domains = new Map<string, string>()
  #isLoaded = false

  constructor(files: Files, table: string) {
    this.#files = files
    this.table = table
  }

  /** Reads what is new. */
  async refresh(): Promise<void> {
    if (!this.#isLoaded || this.version < 0) return this.#load()
    for (;;) {
      const path = commitPath(this.table, this.version + 1)
      if ((await this.#files.stat(path)) === undefined) {
        // the log is cleaned from its beginning: where the newest known commit is there, there is none after it
        if ((await this.#files.stat(commitPath(this.table, this.version))) === undefined) await this.#load()
        return
      }
      this.apply(await readCommit(this.#files, this.table, path))
    }
  }

  /**
   * Makes the newest commit durable. Whoever wrote it may have been killed between giving it its name and syncing that, and who builds on it (by taking a batch
   * for delivered) would be left alone with it when the power goes.
   */
  async confirm(): Promise<void> {
    if (this.version >= 0) await this.#files.sync([commitPath(this.table, this.version)])
  }

  async #load(): Promise<void> {
    const snapshot = await readSnapshot(this.#files, this.table).catch((error: unknown) => {
      if (error instanceof InvalidQueryError && error.code === 'DELTA_TABLE_NOT_FOUND') return null
      throw error
    })
    this.#isLoaded = true
    for (const known of [this.active, this.removed, this.transactions, this.domains]) known.clear()
    this.version = snapshot?.version ?? -1
    if (snapshot === null) return
    this.protocol = snapshot.protocol
    this.metadata = snapshot.metadata
    for (const add of snapshot.files) this.active.set(this.#key(add), add)
    for (const remove of snapshot.removed) this.removed.set(this.#key(remove), remove)
    for (const [appId, version] of snapshot.transactions) this.transactions.set(appId, version)
    for (const [domain, configuration] of snapshot.domains) this.domains.set(domain, configuration)
  }

  /** The next commit. */
  apply(actions: readonly Action[]): void {
    this.version++
    for (const { protocol, metaData, txn, domainMetadata, remove } of actions) {
      if (protocol) this.protocol = protocol
      if (metaData) this.metadata = metaData
      if (txn) this.transactions.set(txn.appId, txn.version)
      if (domainMetadata?.removed) this.domains.delete(domainMetadata.domain)
      else if (domainMetadata) this.domains.set(domainMetadata.domain, domainMetadata.configuration)
      if (remove) {
        this.active.delete(this.#key(remove))
        this.removed.set(this.#key(remove), remove)
      }
    }
    for (const { add } of actions) {
      if (!add) continue
      this.active.set(this.#key(add), add)
      this.removed.delete(this.#key(add))
    }
  }

  #key(file: AddFile | RemoveFile): string {
    return fileKey(pathOf(this.table, file.path), file.deletionVector)
  }
}
