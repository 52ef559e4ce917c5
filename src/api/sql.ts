/** `engine.sql('…')`: statements over temporary views. */
import { InvalidQueryError } from '../base/errors.ts'
import { Schema } from '../data/schema.ts'
import { typeText } from '../data/types.ts'
import { rowsToColumns } from '../data/values.ts'
import { localRelation, renameAll } from '../plan/analyze.ts'
import type { UnresolvedExpression } from '../plan/expression.ts'
import type { LogicalPlan } from '../plan/logical-plan.ts'
import { planQuery } from '../plan/queries/build-query.ts'
import type { SqlParameters } from '../plan/sql/parse.ts'
import type { Statement } from '../plan/sql/query-ast.ts'
import { parseStatement } from '../plan/sql/statement-parser.ts'
import type { EnginePort } from '../query/engine-port.ts'
import { Catalog } from './catalog.ts'
import { expressionOf } from './column.ts'
import { explainText } from './explain-text.ts'
import { catalogOf, createView, dropView, globalDatabase, relationNamed } from './views.ts'

/** Values for the parameters of a statement: by name for `:name`, in order for `?`; constants, or columns made of constants. */
export type SqlArguments = Readonly<Record<string, unknown>> | readonly unknown[]

/** The plan of a statement's result. What a statement does besides, it has done. */
export function runStatement(engine: EnginePort, text: string, args: SqlArguments | undefined): LogicalPlan {
  return resultOf(engine, parseStatement(text, parametersOf(args)))
}

function parametersOf(args: SqlArguments | undefined): SqlParameters {
  if (args === undefined) return { named: new Map(), positional: [] }
  if (Array.isArray(args)) return { named: new Map(), positional: args.map(parameter) }
  return { named: new Map(Object.entries(args).map(([name, value]) => [name, parameter(value)])), positional: [] }
}
function parameter(value: unknown): UnresolvedExpression {
  if (!Array.isArray(value)) return expressionOf(value)
  return { kind: 'call', name: 'array', args: value.map(parameter) }
}

function resultOf(engine: EnginePort, statement: Statement): LogicalPlan {
  const plan = (query: Extract<Statement, { kind: 'query' }>['query']) => planQuery(query, catalogOf(engine))
  switch (statement.kind) {
    case 'query':
      return plan(statement.query)
    case 'create-view': {
      const { name, columns, global, replace } = statement
      const made = plan(statement.query)
      createView(engine, name, columns === undefined ? made : renameAll(made, columns), { global, replace })
      return nothing()
    }
    case 'drop-view':
      return drop(engine, statement.name, statement.ifExists)
    case 'show-tables':
      return showTables(engine, statement)
    case 'show-columns':
      return table(
        'col_name string',
        relationNamed(engine, statement.name).schema.names.map((name) => ({ col_name: name })),
      )
    case 'show-functions':
      return table(
        'function string',
        new Catalog(engine).listFunctions(statement.pattern).map((name) => ({ function: name })),
      )
    case 'describe':
      return table(
        'col_name string, data_type string, comment string',
        plan(statement.query).schema.fields.map(({ name, type }) => ({ col_name: name, data_type: typeText(type), comment: null })),
      )
    case 'explain': {
      const of = plan(statement.query)
      const text = explainText(of, statement.mode, (mode) => engine.explainPhysical(of, mode))
      return table('plan string', [{ plan: text }])
    }
    case 'set':
      return set(engine, statement)
  }
}

function drop(engine: EnginePort, name: readonly string[], ifExists: boolean): LogicalPlan {
  const global = name.length > 1 && name[0]!.toLowerCase() === globalDatabase
  if (!dropView(engine, name.at(-1)!, global) && !ifExists)
    throw new InvalidQueryError('TABLE_OR_VIEW_NOT_FOUND', {
      what: `the view ${name.map((part) => `\`${part}\``).join('.')} cannot be found`,
      todo: 'check the name, or write DROP VIEW IF EXISTS',
    })
  return nothing()
}

function showTables(engine: EnginePort, { views, database, pattern }: Extract<Statement, { kind: 'show-tables' }>): LogicalPlan {
  const found = new Catalog(engine).listTables(database, pattern ?? '*')
  const shown = views ? found.filter(({ tableType }) => tableType === 'TEMPORARY') : found
  const column = views ? 'viewName' : 'tableName'
  return table(
    `namespace string not null, ${column} string not null, isTemporary boolean not null`,
    shown.map(({ name, namespace }) => ({ namespace: namespace.join('.'), [column]: name, isTemporary: true })),
  )
}

function set(engine: EnginePort, { key, value }: Extract<Statement, { kind: 'set' }>): LogicalPlan {
  if (key === undefined)
    throw new InvalidQueryError('NOT_SUPPORTED_YET', {
      what: 'SET without a key: not in this version of Millrace yet',
      todo: 'use engine.conf.getAll',
    })
  if (value !== undefined) engine.setConf(key, value)
  return table('key string not null, value string not null', [{ key, value: value ?? engine.conf(key) ?? '<undefined>' }])
}

function nothing(): LogicalPlan {
  return localRelation(rowsToColumns(new Schema([]), []))
}
function table(ddl: string, rows: readonly Readonly<Record<string, unknown>>[]): LogicalPlan {
  const fields = ddl.split(', ').map((column) => {
    const [name, type, ...rest] = column.split(' ') as [string, 'string' | 'boolean', ...string[]]
    return { name, type, nullable: rest.length === 0 }
  })
  return localRelation(rowsToColumns(new Schema(fields), rows))
}
