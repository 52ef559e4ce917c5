import { type FunctionExamples, of } from './example.ts'

export const misc: readonly FunctionExamples[] = [
  of('uuid', ['uuid()', 'A random UUID. Batch only.'], 'length(uuid())', "uuid() RLIKE '^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$'", 'uuid() = uuid()'),
  of('monotonically_increasing_id', ['monotonically_increasing_id()', 'A number that grows from row to row. Batch only.'], 'monotonically_increasing_id()', 'monotonically_increasing_id() + 1', 'monotonically_increasing_id() IS NULL'),
  of('version', ['version()', 'The version of Spark whose functions these are, and its revision.'], "version() LIKE '4.2.0%'", 'length(version()) > 5', 'typeof(version())'),
  of('current_catalog', ['current_catalog()', 'The name of the catalogue.'], 'current_catalog()', 'typeof(current_catalog())', 'current_catalog() IS NULL'),
  of('current_database', ['current_database()', 'The name of the database.'], 'current_database()', 'current_schema()', 'current_database() IS NULL'),
  of('current_timezone', ['current_timezone()', 'The time zone of the session.'], 'current_timezone()', 'typeof(current_timezone())', 'current_timezone() IS NULL'),
]
