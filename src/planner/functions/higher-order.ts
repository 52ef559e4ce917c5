/**
 * Functions that take a lambda, as DuckDB's lambdas. Their parameters are called by the level of the lambda, so that one inside another does not
 * hide it. DuckDB counts indexes from 1, and Spark from 0.
 */
import type { DataType, MapType } from '../../data/types.ts'
import { sortedSql } from '../ordering-sql.ts'
import { bind, raise, sqlType } from '../sql-text.ts'
import { mapOf } from './map-sql.ts'
import { elementOf, type SqlArgument, type SqlLambda, type Template, type Templates } from './template.ts'

function lambdaOf(arg: SqlArgument | undefined): SqlLambda {
  return arg!.lambda!
}

/** `lambda x, i: body`, with the index only where the body has it. */
function overElements(lambda: SqlLambda): string {
  const [x, i] = [`x${lambda.level}`, `i${lambda.level}`]
  return lambda.params.length === 1 ? `lambda ${x}: ${lambda.body(x)}` : `lambda ${x}, ${i}: ${lambda.body(x, `CAST(${i} - 1 AS INTEGER)`)}`
}

const transform: Template = ([array, f], type) => typed(`list_transform(${array!.sql}, ${overElements(lambdaOf(f))})`, type)
const filter: Template = ([array, f]) => `list_filter(${array!.sql}, ${overElements(lambdaOf(f))})`
/** A lambda that gives a bare NULL would make a list of a type that is none. */
function typed(sql: string, type: DataType): string {
  return `CAST(${sql} AS ${sqlType(type)})`
}

/** true wins over null, and null over false; for forall it is the other way round. */
const quantified =
  (wins: boolean): Template =>
  ([array, f]) => {
    const lambda = lambdaOf(f)
    const all = `CAST(list_transform(${array!.sql}, ${overElements(lambda)}) AS BOOLEAN[])`
    const found = `q${lambda.level}`
    return bind(
      all,
      found,
      `CASE WHEN list_contains(${found}, ${wins}) THEN ${wins} WHEN list_count(${found}) = len(${found}) THEN ${!wins} END`,
    )
  }

/** The accumulator may have another type than the elements, so both go through the fold as one struct. */
const aggregate: Template = ([array, start, f, g]) => {
  const merge = lambdaOf(f)
  const [s, e, x] = ['s', 'e', 'x'].map((letter) => `${letter}${merge.level}`)
  const accumulator = sqlType(start!.type)
  const element = sqlType(elementOf(array!.type))
  const items = `list_transform(${array!.sql}, lambda ${x}: struct_pack(a := CAST(NULL AS ${accumulator}), x := ${x}))`
  const next = `struct_pack(a := CAST(${merge.body(`${s}.a`, `${e}.x`)} AS ${accumulator}), x := ${e}.x)`
  const first = `struct_pack(a := CAST(${start!.sql} AS ${accumulator}), x := CAST(NULL AS ${element}))`
  const folded = `struct_extract(list_reduce(${items}, lambda ${s}, ${e}: ${next}, ${first}), 'a')`
  if (g === undefined) return folded
  const finish = lambdaOf(g)
  const r = `r${finish.level}`
  return `CASE WHEN ${array!.sql} IS NOT NULL THEN ${bind(folded, r, finish.body(r))} END`
}

const zipWith: Template = ([a, b, f], type) => {
  const lambda = lambdaOf(f)
  const [i, p] = [`i${lambda.level}`, `p${lambda.level}`]
  const pair = `lambda ${i}: struct_pack(x := (${a!.sql})[${i}], y := (${b!.sql})[${i}])`
  const pairs = `list_transform(range(1, greatest(len(${a!.sql}), len(${b!.sql})) + 1), ${pair})`
  return unlessNull([a!, b!], typed(`list_transform(${pairs}, lambda ${p}: ${lambda.body(`${p}.x`, `${p}.y`)})`, type))
}
function unlessNull(args: readonly SqlArgument[], sql: string): string {
  return `CASE WHEN ${args.map((arg) => `${arg.sql} IS NOT NULL`).join(' AND ')} THEN ${sql} END`
}

// ---- maps, by their entries

/** `body` for each entry of a map. */
function overEntries(map: SqlArgument, lambda: SqlLambda, made: (key: string, value: string, body: string) => string): string {
  const e = `e${lambda.level}`
  const [key, value] = [`${e}."key"`, `${e}."value"`]
  return `list_transform(map_entries(${map.sql}), lambda ${e}: ${made(key, value, lambda.body(key, value))})`
}
const mapFilter: Template = ([map, f], type) => {
  const lambda = lambdaOf(f)
  const e = `e${lambda.level}`
  return typed(`map_from_entries(list_filter(map_entries(${map!.sql}), lambda ${e}: ${lambda.body(`${e}."key"`, `${e}."value"`)}))`, type)
}
const transformKeys: Template = ([map, f], type) => {
  const entries = overEntries(map!, lambdaOf(f), (_key, value, body) => `struct_pack(k := ${body}, v := ${value})`)
  return mapOf(entries, type as MapType, `m${lambdaOf(f).level}`)
}
const transformValues: Template = ([map, f], type) =>
  typed(`map_from_entries(${overEntries(map!, lambdaOf(f), (key, _value, body) => `struct_pack(k := ${key}, v := ${body})`)})`, type)

const mapZipWith: Template = ([a, b, f], type) => {
  const lambda = lambdaOf(f)
  const [k, e] = [`k${lambda.level}`, `e${lambda.level}`]
  const others = `list_filter(map_keys(${b!.sql}), lambda ${k}: NOT list_contains(map_keys(${a!.sql}), ${k}))`
  const value = (map: SqlArgument) => `map_extract_value(${map.sql}, ${k})`
  const rows = `list_transform(list_concat(map_keys(${a!.sql}), ${others}), lambda ${k}: struct_pack(k := ${k}, x := ${value(a!)}, y := ${value(b!)}))`
  const entries = `list_transform(${rows}, lambda ${e}: struct_pack(k := ${e}.k, v := ${lambda.body(`${e}.k`, `${e}.x`, `${e}.y`)}))`
  return unlessNull([a!, b!], typed(`map_from_entries(${entries})`, type))
}

// ---- array_sort

/**
 * DuckDB sorts by values only. With a comparison the elements are put one after the other behind those that are not greater: equal ones keep
 * their order, and the work grows with the square of the length.
 */
const arraySort: Template = ([array, f], type) => {
  if (f === undefined) return typed(sortedSql(array!.sql, elementOf(type), 'ASC', 'LAST'), type)
  const lambda = lambdaOf(f)
  const [s, e, o, n] = ['s', 'e', 'o', 'n'].map((letter) => `${letter}${lambda.level}`)
  const compared = `coalesce(${lambda.body(o!, `${e}.x`)}, ${raise('COMPARATOR_RETURNS_NULL', 'The comparator has returned a NULL for a comparison.')})`
  const before = `len(list_filter(${s}.a, lambda ${o}: ${compared} <= 0))`
  const put = bind(before, n!, `list_concat(list_concat(${s}.a[1:${n}], [${e}.x]), ${s}.a[${n} + 1:])`)
  const items = `list_transform(${array!.sql}, lambda ${o}: struct_pack(a := CAST([] AS ${sqlType(type)}), x := ${o}))`
  const first = `struct_pack(a := CAST([] AS ${sqlType(type)}), x := CAST(NULL AS ${sqlType(elementOf(type))}))`
  return `struct_extract(list_reduce(${items}, lambda ${s}, ${e}: struct_pack(a := ${put}, x := ${e}.x), ${first}), 'a')`
}

export const higherOrder: Templates = {
  transform,
  filter,
  exists: quantified(true),
  forall: quantified(false),
  aggregate,
  zip_with: zipWith,
  map_filter: mapFilter,
  map_zip_with: mapZipWith,
  transform_keys: transformKeys,
  transform_values: transformValues,
  array_sort: arraySort,
}
