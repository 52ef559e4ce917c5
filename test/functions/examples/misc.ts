import { type FunctionExamples, of } from './example.ts'

export const misc: readonly FunctionExamples[] = [
  of(
    'uuid',
    ['uuid()', 'A random UUID. Batch only.'],
    'length(uuid())',
    "uuid() RLIKE '^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$'",
    'uuid() = uuid()',
  ),
  of(
    'monotonically_increasing_id',
    ['monotonically_increasing_id()', 'A number for each row, which rises in the order of the rows. Batch only.'],
    'monotonically_increasing_id()',
    'typeof(monotonically_increasing_id())',
    'monotonically_increasing_id() + 1',
    'monotonically_increasing_id(1)',
  ),
  of(
    'current_catalog',
    ['current_catalog()', 'The name of the catalogue.'],
    'current_catalog()',
    'typeof(current_catalog())',
    'current_catalog() IS NULL',
  ),
  of(
    'current_database',
    ['current_database()', 'The name of the database.'],
    'current_database()',
    'current_schema()',
    'current_database() IS NULL',
  ),
]
