import { expect, test } from 'vitest'
import { Options } from '../base/options.ts'
import { mysqlConnection, mysqlOptionNames } from './mysql/connection.ts'
import { postgresConnection, postgresOptionNames } from './postgres/connection.ts'

test.each([
  ['MySQL', mysqlConnection, mysqlOptionNames],
  ['PostgreSQL', postgresConnection, postgresOptionNames],
] as const)('a certificate of %s that is not there is told with its option', (_server, connection, names) => {
  const given = { ssl: 'verify-ca', sslRootCert: '/nowhere/root.pem' }
  expect(() => connection(new Options('test', given, [...names]))).toThrow(
    expect.objectContaining({
      code: 'INVALID_OPTION_VALUE',
      message: expect.stringContaining("sslRootCert names the file /nowhere/root.pem, which can't be read"),
    }),
  )
})
