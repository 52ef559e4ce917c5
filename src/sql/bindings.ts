/**
 * DuckDB's native calls, below the classes of `@duckdb/node-api`: columns cross in bulk here, which those classes do value by value.
 * They are found from the API's own place, so that both are one and the same version.
 */
import { createRequire } from 'node:module'
import type duckdb from '@duckdb/node-bindings'

const here = createRequire(import.meta.url)
export const bindings = createRequire(here.resolve('@duckdb/node-api'))('@duckdb/node-bindings') as typeof duckdb
export type { Appender, DataChunk, LogicalType, Result, Vector } from '@duckdb/node-bindings'
