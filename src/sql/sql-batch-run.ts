import { assert, InvalidQueryError, type MillraceError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import { ArrayPool, giveColumns, rowMemory } from '../data/array-pool.ts'
import { type ColumnBatch, columnKind } from '../data/column-batch.ts'
import type { RowSet } from '../data/row-set.ts'
import { Schema } from '../data/schema.ts'
import type { SourceBatch } from '../data/source-batch.ts'
import { rowsToColumns } from '../data/values.ts'
import type { BatchScan } from '../plan/logical-plan.ts'
import { bindings, type Result } from './bindings.ts'
import { onlyRead, readAlone } from './columns-read.ts'
import { columnName, duckType } from './duck-types.ts'
import { statsOf, statsOfColumn, statsSchema, statsSelect } from './event-time-stats.ts'
import { findFailedRows, readBeside, rowChecks, splitFailing } from './failing-rows.ts'
import { columnsJudged, scanFiles, scanSource } from './file-scan.ts'
import { listTableFiles, partitionBases, partitionsOf, tableListing } from './list-files.ts'
import { smallRows } from './loaded-rows.ts'
import { checkTableOptions, fileFormat } from './options.ts'
import { Profile, sumOf } from './profile.ts'
import type { FileScan } from './read-request.ts'
import { tableFilesSelect } from './read-table-files.ts'
import { readChunk, readColumns, readKeyedColumns } from './read-vectors.ts'
import { type ReadCounts, Recovery } from './recovery.ts'
import { countUses, hasNoRows, mayFail, noRowsOf, rowsRead, SqlRelation } from './relation.ts'
import { CallOutside } from './row-calls.ts'
import { filePlaces, placeField, shiftedPlaces, tablePlaces, withPlace } from './row-places.ts'
import { numberOf } from './scalars.ts'
import type { Session } from './session.ts'
import { maybeSmall, withNulls } from './small-files.ts'
import { countRows, noteRecovered, rowsKnown, type SourceRows } from './source-rows.ts'
import type {
  CallInside,
  EventTimeStats,
  FailedRowsTaker,
  Relation,
  RowsApart,
  SqlBatch,
  SqlBatchParameters,
  Unreadable,
} from './sql-batch.ts'
import { SqlRowSet } from './sql-row-set.ts'
import { fillPlaceholders, quoteText, timestampLiteral } from './sql-text.ts'

/** A statement that has run: its result, or its profile where it read files whose rows have to be counted. */
export type Ran = { readonly kind: 'result'; readonly result: Result } | { readonly kind: 'profile'; readonly profile: Profile }

/** One for the process: batches of all queries are read on one thread. */
const columnMemory = new ArrayPool()

/** A batch on one session. Statements run where rows are asked for; everything before only puts their text together. */
export class SqlBatchRun implements SqlBatch {
  readonly session: Session
  readonly #files: Files
  readonly #parameters: SqlBatchParameters
  readonly #sources = new Map<string, SourceRows[]>()
  readonly #end: () => Promise<void>
  /** What lies ready for this batch outside of DuckDB. */
  readonly #releases: (() => Promise<void>)[] = []
  readonly #recovery: Recovery
  #failedRows: FailedRowsTaker | undefined
  readonly #own: ColumnBatch[] = []
  #isLent = false
  /** Those that statements of this batch may make. */
  readonly #calls: bigint[] = []
  #rowsTaken = 0
  #failsAtOnce = false
  constructor(session: Session, files: Files, parameters: SqlBatchParameters, end: () => Promise<void>) {
    this.#end = end
    this.session = session
    this.#files = files
    this.#parameters = parameters
    this.#recovery = new Recovery(session)
  }

  async source(name: string, batch: SourceBatch, schema: Schema, keepsDeadLetters = false): Promise<Relation> {
    const source = await this.#openSource(name, batch, schema, keepsDeadLetters)
    const known = this.#sources.get(name)
    if (known) known.push(source)
    else this.#sources.set(name, [source])
    return source.outer ?? source.relation
  }
  async #openSource(name: string, batch: SourceBatch, schema: Schema, keepsDeadLetters: boolean): Promise<SourceRows> {
    switch (batch.kind) {
      case 'objects':
        return this.#loadedSource([rowsToColumns(schema, batch.rows)], schema)
      case 'columns':
        if (batch.positions === undefined) return this.#loadedSource(batch.batches, schema)
        return this.#placed(await this.#loadedSource(batch.batches, pick(schema, batch.positions)), batch.positions, schema)
      case 'json-values':
        return this.#jsonValues(name, batch, schema)
      case 'sql': {
        const inputs: SqlRelation[] = []
        const columns = schema.fields.map((_, i) => `c${i}`).join(', ')
        const form = { kind: 'select', sql: `SELECT * FROM (${this.#fillParameters(batch.sql)}) AS s(${columns})`, inputs } as const
        return { rows: batch.numRows, scan: null, relation: new SqlRelation(schema, form) }
      }
      case 'table-files': {
        const select = { kind: 'select', sql: tableFilesSelect(batch, schema, keepsDeadLetters), inputs: [] } as const
        if (!keepsDeadLetters) return { rows: batch.numRows, scan: null, relation: new SqlRelation(schema, select) }
        const relation = new SqlRelation(withPlace(schema), select)
        relation.isPlaced = true
        return { rows: batch.numRows, scan: null, relation, files: batch.files.map(({ path }) => path) }
      }
      case 'files': {
        const base = batch.options['path'] === undefined ? [] : [batch.options['path']]
        const scan = await scanSource(
          batch.format,
          batch.files,
          schema,
          batch.options,
          partitionsOf(batch.files, base, schema),
          keepsDeadLetters,
          batch.needed ?? columnsJudged(batch.read, batch.options) ?? readAlone(keepsDeadLetters, batch),
        )
        const relation = await this.#fileRelation(schema, scan, name)
        const outer = keepsDeadLetters && scan.records !== undefined ? onlyRead(relation, batch) : undefined
        // where dead letters are kept, every column of a record of text has been judged
        const read = keepsDeadLetters && batch.format !== 'parquet' ? undefined : batch.read
        const source: SourceRows = {
          rows: rowsKnown(scan),
          scan,
          relation,
          ...(outer && { outer }),
          ...(read && { read }),
        }
        if (await this.#recovery.isFirst(scan)) {
          const { rows, counts, lettersIn } = await this.#recovery.mend(relation, scan)
          Object.assign(source, { rows, counts, ...(lettersIn !== undefined && { lettersIn }) })
        }
        return source
      }
    }
  }
  /** A source's columns at their places in the schema; the others, which nobody reads, are null. */
  #placed(source: SourceRows, positions: readonly number[], schema: Schema): SourceRows {
    const places = new Map(positions.map((at, i) => [at, `${columnName(i)}`]))
    const list = schema.fields.map(({ type }, i) => `${places.get(i) ?? `NULL::${duckType(type)}`} AS ${columnName(i)}`)
    const form = { kind: 'select', sql: `SELECT ${list.join(', ')} FROM ⟦0⟧`, inputs: [source.relation] } as const
    return { ...source, outer: new SqlRelation(schema, form) }
  }
  /** The fields of JSON objects, which stand behind the source's own columns in the schema. */
  async #jsonValues(name: string, batch: Extract<SourceBatch, { kind: 'json-values' }>, schema: Schema): Promise<SourceRows> {
    this.#releases.push(batch.release)
    const count = batch.fields.fields.length
    const fields = Array.from({ length: count }, (_, i) => schema.fields.length - count + i)
    const scan = await scanFiles('json', batch.numRows === 0 ? [] : [batch.file], batch.fields, {}, [])
    const relation = await this.#fileRelation(batch.fields, scan, name)
    if (await this.#recovery.isFirst(scan)) await this.#recovery.mend(relation, scan)
    const source: SourceRows = { rows: batch.numRows, scan, relation }
    if (batch.columns === null) return this.#placed(source, fields, schema)
    const { positions } = batch.columns
    const columns = await this.loadAll([batch.columns.batch], pick(schema, positions))
    this.#sources.set(name, [...(this.#sources.get(name) ?? []), source])
    await this.materialize(relation)
    this.#sources.set(name, this.#sources.get(name)!.slice(0, -1))
    const places = new Map([
      ...fields.map((at, i) => [at, `a.${columnName(i)}`] as const),
      ...positions.map((at, i) => [at, `b.${columnName(i)}`] as const),
    ])
    const list = schema.fields.map(({ type }, i) => `${places.get(i) ?? `NULL::${duckType(type)}`} AS ${columnName(i)}`)
    // both tables give their rows in the order in which they were stored
    const sql = `SELECT ${list.join(', ')} FROM ⟦0⟧ AS a POSITIONAL JOIN ⟦1⟧ AS b`
    return { ...source, outer: new SqlRelation(schema, { kind: 'select', sql, inputs: [relation, columns] }) }
  }
  async #loadedSource(batches: readonly ColumnBatch[], schema: Schema): Promise<SourceRows> {
    const rows = batches.reduce((sum, batch) => sum + batch.length, 0)
    return { rows, scan: null, relation: await this.loadAll(batches, schema) }
  }

  async rows(batch: SourceBatch, schema: Schema): Promise<Relation> {
    const { outer, relation } = await this.#openSource('', batch, schema, false)
    return outer ?? relation
  }

  async scan(scan: BatchScan, columns?: ReadonlySet<number>): Promise<Relation> {
    const format = fileFormat(scan.format)
    checkTableOptions(format, scan.options)
    const found = await listTableFiles(this.#files, scan.paths, tableListing(scan.format, scan.options, this.#parameters.ignoresSinkLogs))
    const reading = await scanFiles(
      format,
      found,
      scan.schema,
      scan.options,
      partitionsOf(found, partitionBases(scan.paths, scan.options), scan.schema),
      columnsJudged(columns, scan.options),
    )
    const relation = await this.#fileRelation(scan.schema, reading, null)
    if (await this.#recovery.isFirst(reading)) await this.#recovery.mend(relation, reading)
    return relation
  }
  async #fileRelation(schema: Schema, scan: FileScan, source: string | null): Promise<SqlRelation> {
    if (scan.check !== undefined) await this.session.run(scan.check)
    return new SqlRelation(schema, { kind: 'files', scan, source })
  }

  fragment(sql: string, inputs: readonly Relation[], schema: Schema, rowWise: readonly number[] = []): Relation {
    const relation = new SqlRelation(schema, { kind: 'select', sql: this.#fillParameters(sql), inputs: inputs.map(SqlRelation.of) })
    relation.rowWise = rowWise
    // of no rows come none: a batch that gives none often (append mode) runs no statement for them
    if (inputs.length > 0 && rowWise.length === inputs.length && inputs.every(hasNoRows)) relation.form = noRowsOf(schema)
    return relation
  }
  checkRows(relation: Relation, sql: string): void {
    SqlRelation.of(relation).checks.push(this.#fillParameters(sql))
  }
  splitWhereItFails(relation: Relation, { place, schema, forms }: RowsApart): void {
    const filled = forms.map(({ allSql, restSql }) => ({ allSql: this.#fillParameters(allSql), restSql: this.#fillParameters(restSql) }))
    SqlRelation.of(relation).apart = { place, schema, forms: filled }
  }
  keepFailedRows(taker: FailedRowsTaker): void {
    this.#failedRows = taker
  }
  #fillParameters(sql: string): string {
    return fillPlaceholders(sql, (name) => {
      if (name === 'batch_timestamp') return timestampLiteral(this.#parameters.batchTimestampMs)
      if (name === 'salt') return quoteText(this.#parameters.salt)
      assert(/^\d+$/.test(name), `the fragment has a placeholder ⟦${name}⟧ that nobody knows: ${sql}`)
      return `⟦${name}⟧`
    })
  }

  async measure(relation: Relation, column: number): Promise<{ readonly relation: Relation; readonly stats: EventTimeStats }> {
    const own = SqlRelation.of(relation)
    await this.#readSmallFiles(own)
    if (own.form.kind !== 'table') {
      const scans = await this.#prepare(own)
      if (scans.length === 0 && rowsRead(own) > smallRows) return { relation, stats: await this.#makeMeasuredTable(own, column) }
      await this.#makeTable(own)
    }
    const stats = own.form.kind === 'table' && own.form.columns ? statsOfColumn(own.form.columns, column) : undefined
    return { relation, stats: stats ?? (await this.#stats(own.schema, column, own.text, '')) }
  }
  /** Both statements in one call, where no profile of the first one is needed. */
  async #makeMeasuredTable(relation: SqlRelation, column: number): Promise<EventTimeStats> {
    const name = this.session.nextTable()
    const stats = await this.#recovering(relation, () =>
      this.#stats(relation.schema, column, name, `CREATE TEMP TABLE ${name} AS ${relation.select}; `),
    )
    relation.form = { kind: 'table', name, rows: stats.count }
    return stats
  }
  async #stats(schema: Schema, column: number, from: string, before: string): Promise<EventTimeStats> {
    return statsOf(readColumns(await this.session.run(before + statsSelect(schema, column, from)), statsSchema))
  }

  async materialize(relation: Relation): Promise<Relation> {
    const own = SqlRelation.of(relation)
    if (own.form.kind !== 'table') await this.#makeTable(own)
    return own
  }

  failAtOnce(fails: boolean): void {
    this.#failsAtOnce = fails
  }
  mayFail(relation: Relation): boolean {
    return mayFail(SqlRelation.of(relation))
  }

  async prefetch(relation: Relation, use: 'rows' | 'files'): Promise<void> {
    const own = SqlRelation.of(relation)
    if (own.form.kind === 'table' || rowsRead(own) > smallRows) return
    // nested values cross one by one and would have to go back for the file: running the statement once more is cheaper
    if (use === 'files' && !crossesInBulk(own.schema)) return
    own.fetched = await this.select(own)
  }

  async keyedColumns(
    sql: string,
    inputs: readonly Relation[],
    schema: Schema,
  ): Promise<{ readonly keyIds: Uint32Array; readonly rows: ColumnBatch }> {
    const query = SqlRelation.of(this.fragment(sql, inputs, schema))
    const result = await this.select(query)
    return readKeyedColumns(result, schema, columnMemory)
  }

  release({ keyIds, rows }: { readonly keyIds?: Uint32Array; readonly rows: ColumnBatch }): void {
    if (keyIds) columnMemory.give(keyIds)
    giveColumns(columnMemory, rows.columns)
  }

  async columnsAt(relation: Relation, positions: readonly number[]): Promise<ColumnBatch> {
    const own = SqlRelation.of(await this.materialize(relation))
    const schema = new Schema(positions.map((at) => own.schema.fields[at]!))
    const { form } = own
    assert(form.kind === 'table', 'a relation that has run is a table')
    if (form.columns) {
      const { length, columns } = this.lend(form.columns)
      return { schema, length, columns: positions.map((at) => columns[at]!) }
    }
    if (positions.length === 0)
      return { schema, length: form.rows ?? numberOf(await this.session.run(`SELECT count(*) FROM ${form.name}`)), columns: [] }
    const list = positions.map((at, i) => `c${at} AS c${i}`).join(', ')
    return readColumns(await this.session.run(`SELECT ${list} FROM ${form.name}`), schema, columnMemory)
  }

  async withColumns(relation: Relation, kept: number, added: ColumnBatch): Promise<Relation> {
    const { form, schema: own } = SqlRelation.of(relation)
    assert(form.kind === 'table', 'columns are added to rows that are there')
    const schema = new Schema([...own.fields.slice(0, kept), ...added.schema.fields])
    if (form.columns) {
      const columns = [...form.columns.columns.slice(0, kept), ...added.columns]
      return this.load({ schema, length: added.length, columns })
    }
    const results = await this.load(added)
    const list = [...Array.from({ length: kept }, (_, i) => `a.c${i} AS c${i}`), ...added.columns.map((_, i) => `b.c${i} AS c${kept + i}`)]
    // both tables give their rows in the order in which they were stored
    return new SqlRelation(schema, {
      kind: 'select',
      sql: `SELECT ${list.join(', ')} FROM ⟦0⟧ AS a POSITIONAL JOIN ⟦1⟧ AS b`,
      inputs: [SqlRelation.of(relation), results],
    })
  }

  withCalls(relation: Relation, kept: number, calls: readonly CallInside[], outside: () => Promise<Relation>): Relation | null {
    const input = SqlRelation.of(relation)
    if (rowsRead(input) <= smallRows) return null
    const made = this.session.calls.over(input, kept, calls, outside)
    this.#calls.push(...made.calls!.ids)
    return made
  }

  load(batch: ColumnBatch): Promise<SqlRelation> {
    return this.loadAll([batch], batch.schema)
  }
  async loadAll(batches: readonly ColumnBatch[], schema: Schema): Promise<SqlRelation> {
    const name = await this.session.load(schema, batches)
    const rows = batches.reduce((sum, batch) => sum + batch.length, 0)
    return new SqlRelation(schema, { kind: 'table', name, rows, ...(batches.length === 1 ? { columns: batches[0]! } : {}) })
  }

  loadOwn(batch: ColumnBatch): Promise<SqlRelation> {
    this.#own.push(batch)
    return this.load(batch)
  }
  /** Columns that lie here are given to somebody who may keep them. */
  lend(columns: ColumnBatch): ColumnBatch {
    this.#isLent = true
    return columns
  }

  rowSet(relation: Relation): RowSet {
    return new SqlRowSet(this, this.#files, SqlRelation.of(relation))
  }

  async inputRows(): Promise<ReadonlyMap<string, number>> {
    const counts = new Map<string, number>()
    for (const [name, sources] of this.#sources) {
      let sum = 0
      for (const source of sources) sum += source.rows ??= await this.#countSource(source)
      counts.set(name, sum)
    }
    return counts
  }
  unreadable(name: string): Unreadable | null {
    const sources = this.#sources.get(name) ?? []
    const tables = sources.flatMap(({ lettersIn }) => (lettersIn === undefined ? [] : [lettersIn]))
    const files = sources.flatMap(({ unreadable = [] }) => unreadable)
    if (tables.length + files.length === 0) return null
    const sql = tables.map((table) => `SELECT file AS c0, line AS c1, encode(raw) AS c2 FROM ${table} WHERE malformed`).join(' UNION ALL ')
    return { records: tables.length === 0 ? null : new SqlRelation(malformedSchema, { kind: 'select', sql, inputs: [] }), files }
  }
  async numbered(relation: Relation, first: bigint): Promise<Relation> {
    const own = SqlRelation.of(await this.materialize(relation))
    const { form, schema } = own
    assert(form.kind === 'table', 'a relation that has run is a table')
    if (own.isPlaced) return this.fragment(shiftedPlaces(schema, first), [own], schema)
    const width = schema.fields.length
    if (form.columns) {
      const data = BigInt64Array.from({ length: form.columns.length }, (_, i) => first + BigInt(i))
      const column = { kind: 'fixed', type: 'long', data, valid: null } as const
      return this.withColumns(own, width, { schema: new Schema([placeField]), length: data.length, columns: [column] })
    }
    // a table that rows were loaded into has no numbers of its own
    const number = /^\w+$/.test(form.name) ? 't0.rowid' : 'row_number() OVER () - 1'
    const text = `SELECT t0.*, ${number} + ${first} AS ${columnName(width)} FROM ⟦0⟧ AS t0`
    return this.fragment(text, [own], withPlace(schema))
  }
  async recordsOf(name: string, first: bigint): Promise<Relation | null> {
    const [source, ...others] = this.#sources.get(name) ?? []
    if (source?.files) return tablePlaces(name, first, source.relation, source.files)
    if (source?.scan == null || others.length > 0) return null
    const table = await this.#recovery.records(source.scan)
    if (table === null) return null
    const rows = numberOf(await this.session.run(`SELECT count(*) FROM ${table}`))
    const given = numberOf(await this.session.run(`SELECT count(*) FROM ${(source.outer ?? source.relation).text}`))
    return rows === given ? filePlaces(name, first, table) : null
  }
  readCounts(): ReadonlyMap<string, ReadCounts> {
    const all = new Map<string, ReadCounts>()
    for (const [name, sources] of this.#sources) {
      const sum = { corruptRecords: 0, droppedRecords: 0, ignoredFiles: 0 }
      for (const { counts } of sources) for (const key of Object.keys(sum) as (keyof ReadCounts)[]) sum[key] += counts?.[key] ?? 0
      if (sources.some(({ scan, counts }) => scan?.mending || scan?.over || counts)) all.set(name, sum)
    }
    return all
  }
  #countSource(source: SourceRows): Promise<number> {
    return this.#recovering(source.relation, () => countRows(this.session, source))
  }
  async close(): Promise<void> {
    await this.#recovery.close()
    await this.#end()
    for (const id of this.#calls) this.session.calls.remove(id)
    await Promise.all(this.#releases.map((release) => release()))
    if (!this.#isLent) for (const { columns } of this.#own) giveColumns(rowMemory, columns)
  }

  // ---- for the row set ------------------------------------------------------------------------------------------------------------

  /** Runs a SELECT and gives its rows. Where files have to be counted it goes through a table, which is the only way to see both. */
  select(query: SqlRelation): Promise<Result> {
    return this.#recovering(query, () => this.#select(query))
  }
  async #select(query: SqlRelation): Promise<Result> {
    if (query.fetched) return query.fetched
    await this.#readSmallFiles(query)
    if (this.#countsInTable(query) || (await this.#prepare(query)).length > 0) await this.#makeTable(query)
    // over rows in place a text comes again with the next batch
    return rowsRead(query) <= smallRows ? this.session.runAgain(query.select) : this.session.run(query.select)
  }

  /** A relation's rows as DuckDB computes them, a chunk at a time. What may have to be read anew (text files) goes through a table. */
  async *stream(query: SqlRelation): AsyncIterable<ColumnBatch> {
    if (query.fetched) return yield readColumns(query.fetched, query.schema)
    // calls may turn out to be none for statements
    const mayMend = [...countUses([query]).keys()].some(
      ({ form, calls }) => calls !== undefined || (form.kind === 'files' && form.scan.mending !== undefined),
    )
    const counted = this.#countsInTable(query) || (await this.#recovering(query, () => this.#prepare(query))).length > 0
    if (query.form.kind !== 'table' && (mayMend || counted)) await this.#makeTable(query)
    for await (const chunk of this.session.stream(query.select)) yield readChunk(chunk, query.schema)
  }

  /** Runs a relation and forgets its rows; says how many there were. */
  async consume(relation: SqlRelation): Promise<number> {
    await this.#readSmallFiles(relation)
    if (rowsRead(relation) <= smallRows) return bindings.row_count(await this.select(relation))
    // ANALYZE computes every column of every row and throws them away
    const ran = await this.execute(relation, (query) => query.select, true)
    assert(ran.kind === 'profile', 'a profile was asked for')
    return ran.profile.rows
  }

  /** Runs a statement that stores or forgets a relation's rows (COPY, EXPLAIN ANALYZE), and counts the files that it reads. */
  async execute(relation: SqlRelation, statement: (query: SqlRelation) => string, profile = false): Promise<Ran> {
    await this.#readSmallFiles(relation)
    if (this.#countsInTable(relation) || (relation.fetched && crossesInBulk(relation.schema))) await this.#makeTable(relation)
    return this.#execute(relation, statement, profile)
  }
  #execute(relation: SqlRelation, statement: (query: SqlRelation) => string, profile: boolean): Promise<Ran> {
    return this.#recovering(relation, () => this.#executeOnce(relation, statement, profile))
  }
  async #executeOnce(relation: SqlRelation, statement: (query: SqlRelation) => string, profile: boolean): Promise<Ran> {
    const scans = await this.#prepare(relation)
    if (scans.length === 0 && !profile) return { kind: 'result', result: await this.session.run(statement(relation)) }
    const ran = Profile.of(await this.session.run(`EXPLAIN (ANALYZE, FORMAT json) ${statement(relation)}`))
    for (const source of scans) source.rows ??= sumOf(source.scan!, ran)
    return { kind: 'profile', profile: ran }
  }

  /** Runs statements over a relation. Where they fail on what files hold, those files are read another way, and the statements run again. */
  async #recovering<T>(relation: SqlRelation, run: () => Promise<T>): Promise<T> {
    for (let fruitless = 0; ; ) {
      try {
        return await run()
      } catch (error) {
        if (this.#failsAtOnce) throw error
        let again = false
        for (const used of new Set([relation, ...countUses([relation]).keys()])) {
          const { form, calls } = used
          if (error instanceof CallOutside && calls?.ids.includes(error.id)) {
            used.calls = undefined
            used.form = SqlRelation.of(await calls.outside()).form
            again = true
          }
          if (form.kind !== 'files' || !Recovery.helps(error, form.scan)) continue
          const recovered = await this.#recovery.recover(used, form.scan, form.source, error as MillraceError)
          if (recovered === null) continue
          const own = form.source === null ? undefined : this.#sources.get(form.source)?.find((each) => each.relation === used)
          if (own) noteRecovered(own, recovered)
          again = true
        }
        if (again || (await this.#setFailedRowsAside(relation, error))) continue
        // what fails by chance may not have failed in the search
        if (!this.#failedRows || !/\b(?:random|uuid)\(\)/.test(relation.select) || ++fruitless === fruitlessSearches) throw error
      }
    }
  }
  /** Takes rows for which an expression has no value out of what a statement reads. Gives whether there were any. */
  async #setFailedRowsAside(relation: SqlRelation, error: unknown): Promise<boolean> {
    const taker = this.#failedRows
    if (!taker || !(error instanceof InvalidQueryError)) return false
    let any = await splitFailing(this.session, relation)
    const taken = this.#rowsTaken
    for (const used of readBeside(relation)) if (used.form.kind !== 'table') await this.#makeTable(used)
    const all = rowChecks(relation)
    const bases = [...all.keys()].filter((base) => base !== relation)
    for (const base of bases) if (base.form.kind !== 'table') await this.#makeTable(base)
    for (const base of bases) {
      const aside = bases.filter((other) => other !== base)
      const found = await findFailedRows(this.session, base, all.get(base)!, aside, (count) => taker.mayFail(count))
      if (found === null) continue
      any = true
      for (const source of [...this.#sources.values()].flat()) if (source.relation === base) source.rows ??= found.rowsIn
      const table = (name: string, rows: number) => ({ kind: 'table' as const, name, rows })
      base.form = table(found.others, numberOf(await this.session.run(`SELECT count(*) FROM ${found.others}`)))
      base.fetched = undefined
      const rows = new SqlRelation(base.schema, table(found.failed, found.errors.length))
      const place = base.place === undefined ? {} : { place: base.place }
      this.#rowsTaken += found.errors.length
      await taker.take({ of: base, rowsIn: found.rowsIn, rowsOn: base.form.rows!, rows, errors: found.errors, ...place })
    }
    return any || this.#rowsTaken > taken
  }
  async #makeTable(relation: SqlRelation): Promise<void> {
    await this.#readSmallFiles(relation)
    if (relation.form.kind === 'table') return
    if (rowsRead(relation) <= smallRows) {
      if (!relation.fetched) await this.#prepare(relation)
      const result = relation.fetched ?? (await this.#recovering(relation, () => this.session.runAgain(relation.select)))
      relation.form = (await this.load(readColumns(result, relation.schema))).form
      relation.fetched = undefined
      return
    }
    const name = this.session.nextTable()
    const ran = await this.#execute(relation, (query) => `CREATE TEMP TABLE ${name} AS ${query.select}`, false)
    relation.form = { kind: 'table', name, rows: rowsOf(ran) }
  }

  /** Reads what has few rows of the sources of files that a statement over the relation would read. */
  async #readSmallFiles(relation: SqlRelation): Promise<void> {
    if (relation.form.kind === 'table' || relation.fetched) return
    for (const used of countUses([relation]).keys()) {
      const source = this.#uncounted(used)
      if (source?.scan && maybeSmall(source.scan)) await this.#readSmall(source, source.scan)
    }
  }
  async #readSmall(source: SourceRows, { count }: FileScan): Promise<void> {
    const { relation, read } = source
    const positions = [...relation.schema.fields.keys()].filter((at) => read?.has(at) ?? true)
    const schema = pick(relation.schema, positions)
    if (positions.length === 0 || !crossesInBulk(schema)) return
    if (count.kind === 'parquet' && (source.rows = await this.#countSource(source)) > smallRows) return
    const list = positions.map((at, i) => `${columnName(at)} AS ${columnName(i)}`)
    const query = new SqlRelation(schema, { kind: 'select', sql: `SELECT ${list.join(', ')} FROM ⟦0⟧`, inputs: [relation] })
    const rows = readColumns(await this.#recovering(query, () => this.session.run(query.select)), schema)
    source.rows ??= rows.length
    relation.form = (await this.load(withNulls(rows, positions, relation.schema))).form
  }

  /**
   * Makes a statement over the relation possible: what it would run twice becomes a table first, as does a source whose rows can only be
   * counted in one. Returns the sources whose rows the statement's own profile can count.
   */
  async #prepare(relation: SqlRelation): Promise<SourceRows[]> {
    const counted: SourceRows[] = []
    for (const [used, times] of countUses([relation])) {
      if (used !== relation && (times > 1 || this.#countsInTable(used))) {
        await this.#makeTable(used)
        return this.#prepare(relation)
      }
      const source = this.#uncounted(used)
      if (source?.scan!.count.kind === 'profile') counted.push(source)
    }
    return counted
  }
  /** The source of files that the relation is, while nobody knows how many rows it has. */
  #uncounted(relation: SqlRelation): SourceRows | undefined {
    if (relation.form.kind !== 'files' || relation.form.source === null) return undefined
    return this.#sources.get(relation.form.source)?.find((each) => each.relation === relation && each.rows === undefined)
  }
  #countsInTable(relation: SqlRelation): boolean {
    return this.#uncounted(relation)?.scan!.count.kind === 'table'
  }
}

/** So often a statement that draws random numbers is searched in vain before it is nobody's fault that it fails. */
const fruitlessSearches = 20

function pick(schema: Schema, positions: readonly number[]): Schema {
  return new Schema(positions.map((at) => schema.fields[at]!))
}

const malformedSchema = new Schema([
  { name: 'file', type: 'string', nullable: true },
  { name: 'line', type: 'long', nullable: true },
  { name: 'raw', type: 'binary', nullable: true },
])

/** Whether no column's values would have to become JavaScript values, one by one. */
function crossesInBulk(schema: Schema): boolean {
  return schema.fields.every(({ type }) => columnKind(type) !== 'values')
}

/** Rows that a CREATE TABLE AS or COPY stored. */
export function rowsOf(ran: Ran): number {
  return ran.kind === 'profile' ? ran.profile.rows : numberOf(ran.result)
}
