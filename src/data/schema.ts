import { typeToJson } from './schema-json.ts'
import { type DataType, type Field, struct } from './types.ts'

/** The columns of a relation, in order. Names may repeat after a join; then they can only be told apart by position or qualifier. */
export class Schema {
  readonly fields: readonly Field[]
  constructor(fields: readonly Field[]) {
    this.fields = fields
  }
  get names(): readonly string[] {
    return this.fields.map((field) => field.name)
  }
  /** The first field of that name, or undefined. Names are compared as written; Spark's default of ignoring case is the analyser's business. */
  field(name: string): Field | undefined {
    return this.fields.find((field) => field.name === name)
  }
  indexOf(name: string): number {
    return this.fields.findIndex((field) => field.name === name)
  }
  typeOf(name: string): DataType | undefined {
    return this.field(name)?.type
  }
  /** Spark's JSON of the schema, which `schema(…)` reads again. */
  json(): string {
    return JSON.stringify(this.jsonValue())
  }
  /** As json(), not as text. */
  jsonValue(): unknown {
    return typeToJson(struct(this.fields))
  }
}
