import { InvalidQueryError, UnavailableError } from '../../base/errors.ts'
import { avroCodec } from './avro.ts'
import type { Codec } from './codec.ts'
import { decodes, encodes, type FormatOptions } from './functions.ts'
import { jsonSchemaCodec } from './json-schema.ts'
import { protobufCodec } from './protobuf.ts'

export interface RegistryOptions {
  /** Where the registry answers, up to what `/subjects` follows. */
  readonly url: string
  readonly username?: string
  readonly password?: string
  /** Instead of a name and a password. */
  readonly token?: string
}
interface RegisteredSchema {
  readonly id: number
  readonly kind: 'AVRO' | 'PROTOBUF' | 'JSON'
  readonly text: string
}

/** A schema registry that speaks Confluent's protocol. Schemas by id are asked for once. */
export class SchemaRegistry {
  readonly #options: RegistryOptions
  readonly #byId = new Map<number, Promise<RegisteredSchema>>()
  /** InvalidQueryError INVALID_OPTION_VALUE where `url` is none. */
  constructor(options: RegistryOptions) {
    if (!/^https?:$/.test(URL.parse(options?.url)?.protocol ?? ''))
      throw new InvalidQueryError('INVALID_OPTION_VALUE', {
        what: `the schema registry was given url = ${JSON.stringify(options?.url)}, which is not a URL of http or https`,
        todo: "give one: new SchemaRegistry({ url: 'http://localhost:8081' })",
      })
    this.#options = options
  }

  /** The newest version of a subject, which fixes the type of what is read and written. InvalidQueryError SCHEMA_REGISTRY_SUBJECT_NOT_FOUND. */
  async subject(name: string): Promise<RegistrySubject> {
    const answer = await this.#ask('GET', `/subjects/${encodeURIComponent(name)}/versions/latest`)
    if (answer === undefined) {
      throw new InvalidQueryError('SCHEMA_REGISTRY_SUBJECT_NOT_FOUND', {
        what: `the registry at ${this.#options.url} has no subject ${name}`,
        todo: 'register a schema under it first: registry.register(subject, kind, schema)',
      })
    }
    return new RegistrySubject(this, name, schemaOf(answer))
  }
  /** Registers a schema and gives the subject with it. One that the subject's rule of compatibility refuses: SCHEMA_REGISTRY_INCOMPATIBLE. */
  async register(name: string, kind: RegisteredSchema['kind'], schema: string): Promise<RegistrySubject> {
    if (!kinds.includes(kind))
      throw new InvalidQueryError('INVALID_OPTION_VALUE', {
        what: `register was given the kind ${JSON.stringify(kind)}, which is not one of ${kinds.join(', ')}`,
        todo: "give one of them: registry.register('clicks-value', 'AVRO', schema)",
      })
    const answer = await this.#ask('POST', `/subjects/${encodeURIComponent(name)}/versions`, {
      schema,
      ...(kind === 'AVRO' ? {} : { schemaType: kind }),
    })
    return new RegistrySubject(this, name, { id: Number(answer?.['id']), kind, text: schema })
  }
  /** For messages that were written with another version. */
  byId(id: number): Promise<RegisteredSchema> {
    let found = this.#byId.get(id)
    if (!found) {
      found = this.#ask('GET', `/schemas/ids/${id}`).then((answer) => {
        if (answer) return schemaOf({ ...answer, id })
        throw new InvalidQueryError('SCHEMA_REGISTRY_SCHEMA_NOT_FOUND', {
          what: `a message names the schema ${id}, which the registry at ${this.#options.url} has not got`,
          todo: 'see whether it is the registry that the messages were written with',
        })
      })
      found.catch(() => this.#byId.delete(id))
      this.#byId.set(id, found)
    }
    return found
  }

  async #ask(method: string, path: string, body?: object): Promise<Record<string, unknown> | undefined> {
    const { url, username, password, token } = this.#options
    const authorization =
      token !== undefined ? `Bearer ${token}` : username !== undefined ? `Basic ${btoa(`${username}:${password ?? ''}`)}` : undefined
    const headers = { accept: media, 'content-type': media, ...(authorization === undefined ? {} : { authorization }) }
    let response: Response
    let text: string
    try {
      response = await fetch(url.replace(/\/$/, '') + path, {
        method,
        headers,
        ...(body ? { body: JSON.stringify(body) } : {}),
        signal: AbortSignal.timeout(30_000),
      })
      text = await response.text()
    } catch (cause) {
      throw new UnavailableError('SCHEMA_REGISTRY_UNAVAILABLE', {
        what: `the schema registry at ${url} gave no answer: ${String((cause as Error).cause ?? cause)}`,
        todo: 'see that it runs and can be reached from here; then start the query again',
        cause,
      })
    }
    if (response.ok) return JSON.parse(text) as Record<string, unknown>
    if (response.status === 404 && isRegistrys(text)) return undefined
    const what = `the schema registry at ${url} answered ${response.status} to ${method} ${path}: ${text.slice(0, 300)}`
    if (response.status === 409)
      throw new InvalidQueryError('SCHEMA_REGISTRY_INCOMPATIBLE', {
        what,
        todo: 'give added fields a default, keep names and types, or register under another subject',
      })
    // who does not let us ask, or is no registry, says nothing of a message: no row is to blame
    if (response.status >= 500 || refusesAll.has(response.status))
      throw new UnavailableError('SCHEMA_REGISTRY_UNAVAILABLE', {
        what,
        todo: response.status >= 500 ? 'start the query again' : 'check the address and the credentials; then start the query again',
      })
    throw new InvalidQueryError('SCHEMA_REGISTRY_REFUSED', { what, todo: 'check the credentials, the subject and the schema' })
  }
}
const kinds: readonly RegisteredSchema['kind'][] = ['AVRO', 'PROTOBUF', 'JSON']
const media = 'application/vnd.schemaregistry.v1+json'
const refusesAll: ReadonlySet<number> = new Set([401, 403, 404, 407, 408, 429])
/** Whether it is the registry that has not got something: Confluent's protocol says 40401, 40402 or 40403 in the body. What others on the way say (a proxy, another service at this address) says nothing of schemas. */
function isRegistrys(body: string): boolean {
  try {
    const { error_code: code } = JSON.parse(body) as { error_code?: unknown }
    return typeof code === 'number' && code > 40_400 && code < 40_500
  } catch {
    return false
  }
}

function schemaOf(answer: Record<string, unknown>): RegisteredSchema {
  const references = answer['references']
  if (Array.isArray(references) && references.length > 0) {
    throw new InvalidQueryError('UNSUPPORTED_SCHEMA_REFERENCES', {
      what: `the schema ${answer['id']} refers to others: ${JSON.stringify(references).slice(0, 200)}`,
      todo: 'register it with everything that it needs in one text',
    })
  }
  return {
    id: Number(answer['id']),
    kind: (answer['schemaType'] as RegisteredSchema['kind'] | undefined) ?? 'AVRO',
    text: String(answer['schema']),
  }
}

/** A subject of a registry at one version: functions of columns in Confluent's wire format (a zero byte, the schema's id, the value). */
export class RegistrySubject {
  readonly name: string
  /** Of the schema that this query reads and writes with. */
  readonly schemaId: number
  readonly #registry: SchemaRegistry
  readonly #schema: RegisteredSchema
  readonly #codec: Codec
  /** By the id of the schema that a message was written with. */
  readonly #codecs = new Map<number, Codec>()
  constructor(registry: SchemaRegistry, name: string, schema: RegisteredSchema) {
    this.#registry = registry
    this.name = name
    this.schemaId = schema.id
    this.#schema = schema
    this.#codec = codecOf(schema, schema)
    this.#codecs.set(schema.id, this.#codec)
  }

  /** A column of messages as values. A message of another version is read as this one; where that is not possible, the difference is named. */
  from(data: any, options: FormatOptions = {}): any {
    return decodes(`from_${this.#schema.kind.toLowerCase()}`, this.#codec, (bytes) => this.#decode(bytes), options)(data)
  }
  /** A column of values as messages. */
  to(value: any): any {
    const head = Buffer.alloc(this.#schema.kind === 'PROTOBUF' ? 6 : 5)
    head.writeInt32BE(this.schemaId, 1)
    return encodes(`to_${this.#schema.kind.toLowerCase()}`, this.#codec, (each) => Buffer.concat([head, this.#codec.encode(each)]))(value)
  }

  #decode(bytes: Buffer): unknown {
    if (bytes.length < 5 || bytes[0] !== 0) {
      throw new InvalidQueryError('MALFORMED_REGISTRY_MESSAGE', {
        what: `${bytes.length} bytes do not begin with a zero and the id of a schema`,
        todo: "read values without a registry with from_avro, from_protobuf or from_json; or give option mode: 'PERMISSIVE', which makes null of them",
      })
    }
    const id = bytes.readInt32BE(1)
    const known = this.#codecs.get(id)
    if (known) return known.decode(this.#body(bytes))
    return this.#registry.byId(id).then((written) => {
      const codec = codecOf(this.#schema, written)
      this.#codecs.set(id, codec)
      return codec.decode(this.#body(bytes))
    })
  }
  /** Protobuf has the place of the message in its file before the value; only the first message is read. */
  #body(bytes: Buffer): Buffer {
    if (this.#schema.kind !== 'PROTOBUF') return bytes.subarray(5)
    if (bytes[5] === 0) return bytes.subarray(6)
    throw new InvalidQueryError('UNSUPPORTED_PROTOBUF_MESSAGE_INDEX', {
      what: `a message of ${this.name} is not the first one of its .proto file`,
      todo: 'put the message first, or take the bytes behind the index with substring and read them with from_protobuf',
    })
  }
}

function codecOf(reader: RegisteredSchema, written: RegisteredSchema): Codec {
  if (reader.kind !== written.kind) {
    throw new InvalidQueryError('SCHEMA_REGISTRY_KIND_CHANGED', {
      what: `a message was written with the schema ${written.id} of kind ${written.kind}, and the query reads ${reader.kind}`,
      todo: 'use a subject for each kind',
    })
  }
  switch (reader.kind) {
    case 'AVRO':
      return avroCodec(reader.text, written.text)
    case 'PROTOBUF':
      return protobufCodec(reader.text)
    case 'JSON':
      return jsonSchemaCodec(reader.text)
  }
}
