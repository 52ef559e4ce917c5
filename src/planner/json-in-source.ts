/**
 * A source may hold JSON texts that the query only reads as `from_json(cast(value as string), schema).field`. Then the source is asked for
 * those fields in place of the texts, and nothing of a text has to become a string on its way. What stands here finds such plans; any other
 * use of the column, or of the whole object, leaves the plan as it is.
 */
import { Schema } from '../data/schema.ts'
import type { DataType, Field } from '../data/types.ts'
import type { Expression } from '../plan/expression.ts'
import { isDeterministic, mapChildren, someExpression } from '../plan/expression-tree.ts'
import { inputsOf, type LogicalPlan, type Project, type StreamScan } from '../plan/logical-plan.ts'
import { withInputs } from '../plan/rules.ts'
import type { SourceAbilities } from './source-abilities.ts'

type ParsedColumns = SourceAbilities['parsesJson']

/** The same plan, with the fields read by the sources where that is possible. `isUtc`: times without a zone are in UTC, as in files. */
export function readJsonInSources(plan: LogicalPlan, parsedColumns: ParsedColumns, isUtc: boolean): LogicalPlan {
  const counts = new Map<string, number>()
  countScans(plan, counts)
  const visit = (node: LogicalPlan): LogicalPlan => {
    if (node.kind === 'project') {
      const rewritten = rewriteProject(node, parsedColumns, isUtc, counts)
      if (rewritten) return rewritten
    }
    const inputs = inputsOf(node)
    const visited = inputs.map(visit)
    return visited.every((input, i) => input === inputs[i]) ? node : withInputs(node, visited)
  }
  return visit(plan)
}

/** A source that is read twice must give one thing to both. */
function countScans(plan: LogicalPlan, counts: Map<string, number>): void {
  if (plan.kind === 'stream-scan') counts.set(plan.token, (counts.get(plan.token) ?? 0) + 1)
  for (const input of inputsOf(plan)) countScans(input, counts)
}

function rewriteProject(
  project: Project,
  parsedColumns: ParsedColumns,
  isUtc: boolean,
  counts: ReadonlyMap<string, number>,
): LogicalPlan | undefined {
  const merged = mergeProjects(project)
  const scan = scanBelow(merged.input)
  if (!scan || scan.json || counts.get(scan.token) !== 1) return undefined
  const name = parsedColumns(scan.format.toLowerCase())[0]
  const column = name === undefined ? -1 : scan.schema.indexOf(name)
  if (column < 0) return undefined
  const found = new FieldReads(column, scan.schema.fields.length, isUtc)
  const columns = merged.columns.map((each) => ({ ...each, expression: found.replace(each.expression) }))
  const input = replaceBelow(merged.input, found)
  if (found.failed || found.fields.length === 0) return undefined
  return { ...merged, columns, input: withFields(input, found, column) }
}

/** Project(Project(x)) as one, where the inner one computes nothing that may differ from time to time. */
function mergeProjects(project: Project): Project {
  const { input } = project
  if (input.kind !== 'project' || !input.columns.every(({ expression }) => isPlain(expression))) return project
  const inlined = project.columns.map((column) => ({ ...column, expression: inline(column.expression, input) }))
  if (inlined.some(({ expression }) => sizeOf(expression) > 2000)) return project
  return mergeProjects({ ...project, columns: inlined, input: input.input })
}
function isPlain(e: Expression): boolean {
  return isDeterministic(e) && !someExpression(e, ({ kind }) => kind === 'user-call' || kind === 'window')
}
function inline(e: Expression, { columns }: Project): Expression {
  return e.kind === 'column' ? columns[e.index]!.expression : mapChildren(e, (child) => inline(child, { columns } as Project))
}
function sizeOf(e: Expression): number {
  let size = 0
  someExpression(e, () => ++size > 2000)
  return size
}

/** The source under steps that keep its columns. */
function scanBelow(plan: LogicalPlan): StreamScan | undefined {
  if (plan.kind === 'stream-scan') return plan
  return plan.kind === 'filter' || plan.kind === 'watermark' || plan.kind === 'alias' ? scanBelow(plan.input) : undefined
}
function replaceBelow(plan: LogicalPlan, found: FieldReads): LogicalPlan {
  if (plan.kind === 'filter') return { ...plan, condition: found.replace(plan.condition), input: replaceBelow(plan.input, found) }
  if (plan.kind === 'watermark' || plan.kind === 'alias') return { ...plan, input: replaceBelow(plan.input, found) }
  return plan
}
function withFields(plan: LogicalPlan, { fields }: FieldReads, column: number): LogicalPlan {
  // the names are nobody's: they are only found by their places
  const added = fields.map((field) => ({ ...field, name: `⟦json⟧.${field.name}` }))
  const schema = new Schema([...plan.schema.fields, ...added])
  if (plan.kind === 'stream-scan') return { ...plan, schema, json: { column, fields: new Schema(fields) } }
  return { ...plan, schema, input: withFields((plan as { input: LogicalPlan }).input, { fields } as FieldReads, column) } as LogicalPlan
}

/** What from_json was told, as plan/functions/json.ts writes it. */
interface JsonSpec {
  readonly type: DataType
  readonly failFast?: boolean
  readonly patterns?: object
}

/** Collects the fields that are read of one column of texts, and puts their columns in place of the calls. */
class FieldReads {
  readonly fields: Field[] = []
  failed = false
  readonly #column: number
  readonly #firstIndex: number
  readonly #isUtc: boolean
  #spec: string | undefined
  constructor(column: number, firstIndex: number, isUtc: boolean) {
    this.#column = column
    this.#firstIndex = firstIndex
    this.#isUtc = isUtc
  }

  replace(e: Expression): Expression {
    if (e.kind === 'field') {
      const spec = this.#specOf(e.input)
      if (spec !== undefined) return this.#fieldColumn(e.field, e.type, spec, e)
    }
    // the text itself is read
    if (e.kind === 'column' && e.index === this.#column) this.failed = true
    return this.failed ? e : mapChildren(e, (child) => this.replace(child))
  }

  /** What a call from_json(cast(column AS string), …) is to give, where its result is the same as that of reading a file. */
  #specOf(e: Expression): string | undefined {
    if (e.kind !== 'call' || e.name !== 'from_json') return undefined
    const [text, spec] = e.args
    const isColumn = text?.kind === 'cast' && text.type === 'string' && text.input.kind === 'column' && text.input.index === this.#column
    if (!isColumn || spec?.kind !== 'literal' || typeof spec.value !== 'string') return undefined
    const { type, failFast, patterns, ...others } = JSON.parse(spec.value) as JsonSpec
    // any option but the defaults, one that comes later too, is the function's own business
    const isDefault = !failFast && Object.keys(patterns ?? {}).length === 0 && Object.keys(others).length === 0
    return isDefault && typeof type === 'object' && type.kind === 'struct' ? spec.value : undefined
  }

  #fieldColumn(name: string, type: DataType, spec: string, e: Expression): Expression {
    this.#spec ??= spec
    let at = this.fields.findIndex((field) => field.name === name)
    const clashes = at < 0 && this.fields.some((field) => field.name.toLowerCase() === name.toLowerCase())
    if (spec !== this.#spec || clashes || !isReadAlike(type, this.#isUtc)) {
      this.failed = true
      return e
    }
    if (at < 0) at = this.fields.push({ name, type, nullable: true }) - 1
    return { kind: 'column', name, index: this.#firstIndex + at, type, nullable: true }
  }
}

/** Types that a file's reader takes from JSON as from_json does, at any depth where they need no parser of their own. */
function isReadAlike(type: DataType, isUtc: boolean, depth = 0): boolean {
  if (typeof type !== 'string') {
    if (type.kind === 'array') return isReadAlike(type.element, isUtc, depth + 1)
    if (type.kind === 'struct') return type.fields.every((field) => isReadAlike(field.type, isUtc, depth + 1))
    return type.kind === 'decimal' && depth === 0
  }
  if (['string', 'boolean', 'byte', 'short', 'int', 'long', 'float', 'double'].includes(type)) return true
  return depth === 0 && (type === 'date' || type === 'timestamp_ntz' || (type === 'timestamp' && isUtc))
}
