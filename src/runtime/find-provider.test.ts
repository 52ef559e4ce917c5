import { expect, test } from 'vitest'
import { findProvider } from './find-provider.ts'

test('a format of a subpath that was not imported says which import makes it known', () => {
  const subpaths = {
    kafka: 'kafka',
    delta: 'delta',
    PostgreSQL: 'postgres',
    mariadb: 'mysql',
    sqlite: 'sqlite',
    redis: 'redis',
    opensearch: 'elasticsearch',
  }
  for (const [format, subpath] of Object.entries(subpaths))
    expect(() => findProvider('sink', format, [])).toThrow(`import it first: import 'millrace/${subpath}'`)
  expect(() => findProvider('sink', 'jdbc', [])).toThrow("'millrace/mysql'")
  expect(() => findProvider('sink', 'nope', [{ formats: ['noop'] }])).toThrow('use one of noop')
})
