/**
 * A source whose rows are read from text (JSON) makes a struct of many values, of which a query may read a few: `select('event.*')`, then two of the columns.
 * Where every read of a struct goes to a field of it, the source is asked for those fields as columns of their own: nothing is parsed that nobody reads, and no
 * struct is put together to be taken apart. The parts that are looked at are projections over filters, watermarks and aliases over the source; a source that
 * is read in any other way stays as it is.
 */
import { Schema } from '../data/schema.ts'
import type { FieldRead } from '../data/source-batch.ts'
import type { Expression } from '../plan/expression.ts'
import { childrenOf, mapChildren } from '../plan/expression-tree.ts'
import { inputsOf, type LogicalPlan, type Project, type StreamScan, type Watermark } from '../plan/logical-plan.ts'
import { withInputs } from '../plan/rules.ts'
import type { SourceAbilities } from './source-abilities.ts'

/** The same plan, with single fields read by the sources where that is possible. */
export function readFieldsInSources(plan: LogicalPlan, { givesFields }: SourceAbilities): LogicalPlan {
  const sources = new Map<string, SourceReads>()
  collectReads(plan, sources, new Set(), givesFields)
  for (const [token, source] of sources) if (source.kept.length === 0) sources.delete(token)
  if (sources.size === 0) return plan
  const done = new Map<LogicalPlan, LogicalPlan>()
  const visit = (node: LogicalPlan): LogicalPlan => {
    const known = done.get(node)
    if (known) return known
    const source = node.kind === 'project' ? sources.get(scanBelow(node.input)?.token ?? '') : undefined
    const inputs = inputsOf(node)
    const visited = source ? inputs : inputs.map(visit)
    const made = source
      ? rewriteProject(node as Project, source, done)
      : visited.every((input, i) => input === inputs[i])
        ? node
        : withInputs(node, visited)
    done.set(node, made)
    return made
  }
  return visit(plan)
}

/** What a plan reads of one source. */
class SourceReads {
  readonly scan: StreamScan
  /** Columns that something reads as they are. */
  readonly #whole = new Set<number>()
  readonly #fields = new Map<string, FieldColumn>()
  constructor(scan: StreamScan) {
    this.scan = scan
  }

  /** Everything may be read. */
  readAll(): void {
    for (const index of this.scan.schema.fields.keys()) this.#whole.add(index)
  }
  read(e: Expression): void {
    const field = fieldOf(e)
    if (field) {
      const { column, path } = field
      if (!this.#fields.has(keyOf(field))) this.#fields.set(keyOf(field), { column, path, type: e.type })
    } else if (e.kind === 'column') this.#whole.add(e.index)
    else for (const child of childrenOf(e)) this.read(child)
  }
  readColumns(columns: Iterable<number>): void {
    for (const index of columns) this.#whole.add(index)
  }

  /** The fields of structs that nothing reads as they are; column i is behind the source's own. */
  get kept(): readonly FieldColumn[] {
    return [...this.#fields.values()].filter(({ column }) => !this.#whole.has(column))
  }
}
interface FieldColumn extends FieldRead {
  readonly type: Expression['type']
}
function keyOf({ column, path }: FieldRead): string {
  return JSON.stringify([column, ...path])
}

/** `column.a.b` as its column and its path. */
function fieldOf(e: Expression): FieldRead | undefined {
  if (e.kind !== 'field') return undefined
  if (e.input.kind === 'column') return { column: e.input.index, path: [e.field] }
  const inner = fieldOf(e.input)
  return inner && { column: inner.column, path: [...inner.path, e.field] }
}

/** Each source that gives fields, with what is read of it. */
function collectReads(
  plan: LogicalPlan,
  sources: Map<string, SourceReads>,
  seen: Set<LogicalPlan>,
  givesFields: SourceAbilities['givesFields'],
): void {
  if (seen.has(plan)) return
  seen.add(plan)
  const readsOf = (scan: StreamScan) => {
    const reads = sources.get(scan.token) ?? new SourceReads(scan)
    sources.set(scan.token, reads)
    return reads
  }
  if (plan.kind === 'stream-scan') return readsOf(plan).readAll()
  const scan = plan.kind === 'project' ? scanBelow(plan.input) : undefined
  if (plan.kind !== 'project' || !scan) {
    for (const input of inputsOf(plan)) collectReads(input, sources, seen, givesFields)
    return
  }
  const reads = readsOf(scan)
  if (scan.json || !givesFields(scan)) return reads.readAll()
  for (const { expression } of plan.columns) reads.read(expression)
  for (let node = plan.input; node.kind !== 'stream-scan'; node = (node as OverSource).input) {
    if (node.kind === 'filter') reads.read(node.condition)
    else if (node.kind === 'watermark') reads.readColumns([timeColumn(node), ...(node.partitionColumns ?? [])])
  }
}
function timeColumn({ index, schema, column }: Watermark): number {
  return index ?? schema.indexOf(column)
}

/** Steps that keep their input's columns. */
type OverSource = Extract<LogicalPlan, { kind: 'filter' | 'watermark' | 'alias' }>
function scanBelow(plan: LogicalPlan): StreamScan | undefined {
  if (plan.kind === 'stream-scan') return plan
  return plan.kind === 'filter' || plan.kind === 'watermark' || plan.kind === 'alias' ? scanBelow(plan.input) : undefined
}

function rewriteProject(project: Project, source: SourceReads, done: Map<LogicalPlan, LogicalPlan>): Project {
  const { kept, scan } = source
  const count = scan.schema.fields.length
  const places = new Map(kept.map((field, i) => [keyOf(field), count + i]))
  const replace = (e: Expression): Expression => {
    const field = fieldOf(e)
    const index = field && places.get(keyOf(field))
    if (index === undefined) return mapChildren(e, replace)
    return { kind: 'column', name: (e as { field: string }).field, index, type: e.type, nullable: true }
  }
  // the names are nobody's: they are only found by their places
  const added = kept.map(({ column, path, type }, i) => ({
    name: `⟦field ${i}⟧.${[scan.schema.names[column], ...path].join('.')}`,
    type,
    nullable: true,
  }))
  const fields = kept.map(({ column, path }): FieldRead => ({ column, path }))
  const widen = (node: LogicalPlan): LogicalPlan => {
    const known = done.get(node)
    if (known) return known
    const schema = new Schema([...node.schema.fields, ...added])
    const made =
      node.kind === 'stream-scan'
        ? { ...node, schema, fields }
        : node.kind === 'filter'
          ? { ...node, schema, condition: replace(node.condition), input: widen(node.input) }
          : ({ ...node, schema, input: widen((node as OverSource).input) } as LogicalPlan)
    done.set(node, made)
    return made
  }
  const columns = project.columns.map((each) => ({ ...each, expression: replace(each.expression) }))
  return { ...project, columns, input: widen(project.input) }
}
