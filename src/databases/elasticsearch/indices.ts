import type { Clock } from '../../base/clock.ts'
import { InvalidQueryError } from '../../base/errors.ts'
import type { Schema } from '../../data/schema.ts'
import { type Reply, type SearchClient, short } from './http.ts'
import { compareMapping, mappingOf, type Properties } from './mapping.ts'
import type { SearchSinkOptions } from './options.ts'

/** What stands in `_meta.millrace` of an index's mapping; in docs/formats.md. */
interface IndexNote {
  readonly version: 1
  readonly query: string
  /** A document that batch n writes has the version base + n. */
  readonly base: number
}
interface Mappings {
  readonly dynamic?: string | boolean
  readonly properties?: Properties
  readonly _meta?: Readonly<Record<string, unknown>> & { readonly millrace?: IndexNote }
}

/** The indices of a query: each is created or compared, and claimed, before the first row goes to it. */
export class Indices {
  readonly #client: SearchClient
  readonly #options: SearchSinkOptions
  readonly #schema: Schema
  readonly #query: string
  readonly #clock: Clock
  readonly #known = new Map<string, IndexNote | null>()
  constructor(client: SearchClient, options: SearchSinkOptions, schema: Schema, query: string, clock: Clock) {
    this.#client = client
    this.#options = options
    this.#schema = schema
    this.#query = query
    this.#clock = clock
  }

  /** The version of documents that a batch writes to an index; undefined where documents have none of ours. */
  async versionOf(index: string, batchId: number): Promise<number | undefined> {
    let note = this.#known.get(index)
    if (note === undefined) {
      note = await this.#prepare(index)
      this.#known.set(index, note)
    }
    return note === null ? undefined : note.base + batchId
  }

  async #prepare(index: string): Promise<IndexNote | null> {
    const wanted = mappingOf(this.#schema, this.#options.textColumns)
    let there = await this.#look(index)
    if (there === undefined) {
      if (!this.#options.createIndex) {
        throw new InvalidQueryError('SEARCH_INDEX_NOT_FOUND', {
          what: `there is no index ${index} at ${this.#client.address}, and createIndex is false`,
          todo: 'create it, or leave createIndex out',
        })
      }
      there = await this.#create(index, wanted)
    }
    const missing = compareMapping(index, wanted, there.properties ?? {}, this.#schema, String(there.dynamic ?? 'true'))
    if (Object.keys(missing).length > 0) await this.#change(index, { properties: missing })
    return this.#options.versions ? this.#claim(index, there) : null
  }

  /** Undefined where there is none. An alias must stand for one index. */
  async #look(index: string): Promise<Mappings | undefined> {
    const reply = await this.#client.ask('GET', `/${encodeURIComponent(index)}/_mapping`)
    if (reply.status === 404) return undefined
    const found = Object.values(this.#parsed<Record<string, { mappings: Mappings }>>(reply, `reading the mapping of ${index}`))
    if (found.length === 1) return found[0]!.mappings
    throw new InvalidQueryError('SEARCH_INDEX_NAME', {
      what: `${index} stands for ${found.length} indices at ${this.#client.address}`,
      todo: 'name an index, or an alias of one',
    })
  }

  async #create(index: string, properties: Properties): Promise<Mappings> {
    const { settings, versions } = this.#options
    const mappings: Mappings = { properties, ...(versions && { _meta: { millrace: this.#newNote() } }) }
    const body = JSON.stringify({ mappings, ...(settings && { settings }) })
    const reply = await this.#client.ask('PUT', `/${encodeURIComponent(index)}`, body)
    // another run was faster, or an answer was lost
    if (reply.status === 400 && reply.body.includes('resource_already_exists_exception')) return (await this.#look(index)) ?? mappings
    this.#parsed(reply, `creating the index ${index}`)
    return mappings
  }

  async #claim(index: string, { _meta: meta = {} }: Mappings): Promise<IndexNote> {
    const note = meta.millrace
    if (note !== undefined && note.version !== 1) {
      throw new InvalidQueryError('SEARCH_NOTE_FOREIGN', {
        what: `_meta.millrace of the index ${index} has version ${note.version}, and this release knows version 1`,
        todo: 'use the release that wrote it, or another index',
      })
    }
    if (note?.query === this.#query) return note
    if (note !== undefined && !this.#options.adoptOutput) {
      throw new InvalidQueryError('SINK_OWNED_BY_ANOTHER_QUERY', {
        what: `the index ${index} is the output of query ${note.query}, and this is query ${this.#query}`,
        todo: "choose another index; or, where this query is to go on with that one, set .option('adoptOutput', true) once",
      })
    }
    const own = this.#newNote()
    await this.#change(index, { _meta: { ...meta, millrace: own } })
    return own
  }

  /** Versions begin at the time, so that they are above all that an earlier owner has given. */
  #newNote(): IndexNote {
    return { version: 1, query: this.#query, base: this.#clock.nowMs() }
  }

  async #change(index: string, mapping: Mappings): Promise<void> {
    const reply = await this.#client.ask('PUT', `/${encodeURIComponent(index)}/_mapping`, JSON.stringify(mapping))
    this.#parsed(reply, `changing the mapping of ${index}`)
  }

  #parsed<T>(reply: Reply, doing: string): T {
    if (reply.status < 300) return JSON.parse(reply.body) as T
    throw new InvalidQueryError('SEARCH_REQUEST_FAILED', {
      what: `${doing} at ${this.#client.address} was answered with ${reply.status}: ${short(reply.body)}`,
      todo: 'see what the server says; nothing of it was done',
    })
  }
}
