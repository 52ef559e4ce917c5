// TLS with the databases' own servers, whose certificate names localhost: which authorities and names are taken, and what is said of others.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Engine, MemoryStream, millrace, t } from 'millrace'
import 'millrace/mysql'
import 'millrace/postgres'
import 'millrace/redis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { certificatesFor } from '../servers/certificates.ts'
import { freePorts } from '../servers/free-ports.ts'
import { uniqueName } from '../servers/shared-server.ts'
import { describeMariaDb, mariaDbClient, sharedMariaDb } from './mariadb-server.ts'
import { describePostgres, postgresClient, sharedPostgres } from './postgres-server.ts'
import { problemOf } from './problem-of.ts'
import { describeRedis, redisClient, startRedis } from './redis-server.ts'

let engine: Engine
let folder: string
beforeAll(async () => {
  engine = await millrace.local()
  folder = mkdtempSync(join(tmpdir(), 'millrace-tls-'))
})
afterAll(async () => {
  await engine.close()
  rmSync(folder, { recursive: true, force: true })
})

/** One batch into a table of its own. */
async function write(format: string, options: Record<string, string>, table = uniqueName('tls')): Promise<string> {
  const stream = new MemoryStream(engine, { n: t.int() })
  stream.addData({ n: 7 })
  const query = await stream
    .toDF()
    .writeStream.format(format)
    .options({ maxRetries: '0', ...options })
    .trigger({ availableNow: true })
    .option('checkpointLocation', join(folder, uniqueName('checkpoint')))
    .start(...(format === 'redis' ? [] : [table]))
  await query.awaitTermination()
  return table
}

interface Place {
  readonly port: number
  readonly certificates: ReturnType<typeof certificatesFor>
}
function sqlSuite(
  format: string,
  scheme: string,
  user: string,
  database: string,
  open: () => Promise<Place>,
  isEncrypted: (read: (query: string) => Promise<unknown[]>) => Promise<unknown>,
  makeCertified: (place: Place) => Promise<void>,
): void {
  let place: Place
  beforeAll(async () => {
    place = await open()
  })
  const at = (host: string, options: Record<string, string>) => ({
    url: `${scheme}://${user}@${host}:${place.port}/${database}`,
    ...options,
  })
  const read = (options: Record<string, string>, query: string) =>
    engine.read
      .format('jdbc')
      .options({ ...options, query })
      .load()
      .then((frame) => frame.collect())

  test('the right authority is taken, and the connection is encrypted; reading goes the same way', async () => {
    const { ca } = place.certificates
    for (const options of [
      at('localhost', { ssl: 'verify-full', sslRootCert: ca }),
      at('localhost', { ssl: 'true', sslRootCert: ca }),
      // the name is not looked at
      at('127.0.0.1', { ssl: 'verify-ca', sslRootCert: ca }),
      // nor is the authority
      at('127.0.0.1', { ssl: 'require' }),
    ]) {
      const table = await write(format, options)
      expect(await read(options, `SELECT n FROM ${table}`)).toMatchObject([{ n: 7 }])
      expect(await isEncrypted((query) => read(options, query))).toBe(true)
    }
    expect(await isEncrypted((query) => read(at('127.0.0.1', {}), query))).toBe(false)
  })

  test('another authority, none, or another name are refused at once, and said', async () => {
    const { ca, otherCa } = place.certificates
    const refused = (options: Record<string, string>) => problemOf(write(format, { ...options, maxRetries: '20' }) as never)
    const because = (message: RegExp) => ({ code: 'DATABASE_ACCESS_REFUSED', message: expect.stringMatching(message) })
    for (const ssl of ['verify-ca', 'verify-full']) {
      expect(await refused(at('localhost', { ssl, sslRootCert: otherCa }))).toMatchObject(because(/certificate/i))
      expect(await refused(at('localhost', { ssl }))).toMatchObject(because(/certificate/i))
    }
    // a name of the same server that is not the certificate's
    expect(await refused(at('127.1', { ssl: 'verify-full', sslRootCert: ca }))).toMatchObject(because(/127\.1.*cert|altnames.*127\.1/i))
    const byAddress = await refused(at('127.0.0.1', { ssl: 'verify-full', sslRootCert: ca }))
    expect(byAddress).toMatchObject(format === 'mysql' ? { code: 'INVALID_OPTION_VALUE' } : because(/127\.0\.0\.1.*cert|altnames.*127/i))
    await expect(read(at('localhost', { ssl: 'verify-full', sslRootCert: otherCa }), 'SELECT 1 AS n')).rejects.toMatchObject(
      because(/certificate/i),
    )
  })

  test('a user that the server knows by a certificate', async () => {
    const { ca, clientCert, clientKey, cert, key } = place.certificates
    await makeCertified(place)
    const as = (options: Record<string, string>) => ({
      ...at('localhost', { ssl: 'verify-full', sslRootCert: ca, ...options }),
      user: 'certified',
    })
    const own = as({ sslCert: clientCert, sslKey: clientKey })
    const table = await write(format, own)
    expect(await read(own, `SELECT n FROM ${table}`)).toMatchObject([{ n: 7 }])
    const refused = { code: 'DATABASE_ACCESS_REFUSED', message: expect.stringMatching(/certif/) }
    expect(await problemOf(write(format, { ...as({}), maxRetries: '20' }) as never)).toMatchObject(refused)
    // of another name; MariaDB asks for any
    if (format === 'postgres') expect(await problemOf(write(format, as({ sslCert: cert, sslKey: key })) as never)).toMatchObject(refused)
    expect(await problemOf(write(format, as({ sslCert: clientCert, sslKey: `${clientKey}.gone` })) as never)).toMatchObject({
      code: 'INVALID_OPTION_VALUE',
    })
  })
}

describePostgres('PostgreSQL with TLS', () =>
  sqlSuite(
    'postgres',
    'postgresql',
    'millrace',
    'postgres',
    async () => {
      const { port, folder } = await sharedPostgres()
      return { port, certificates: certificatesFor(folder) }
    },
    async (read) => ((await read('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')) as { ssl: boolean }[])[0]!.ssl,
    async () => {
      const client = await postgresClient(await sharedPostgres())
      await client.query('CREATE ROLE certified LOGIN SUPERUSER')
      await client.end()
    },
  ),
)
describeMariaDb('MariaDB with TLS', () =>
  sqlSuite(
    'mysql',
    'mariadb',
    'root',
    'shop',
    async () => {
      const { port, folder } = await sharedMariaDb()
      return { port, certificates: certificatesFor(folder) }
    },
    async (read) =>
      (
        (await read("SELECT VARIABLE_VALUE AS cipher FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'SSL_CIPHER'")) as {
          cipher: string
        }[]
      )[0]!.cipher !== '',
    async () => {
      const client = await mariaDbClient(await sharedMariaDb())
      await client.query("CREATE USER 'certified'@'%' REQUIRE X509")
      await client.query("GRANT ALL ON *.* TO 'certified'@'%'")
      await client.end()
    },
  ),
)

describeRedis('Redis with TLS', () => {
  let server: Awaited<ReturnType<typeof startRedis>>
  let tlsPort: number
  const certificates = () => certificatesFor(join(folder, 'redis'))
  beforeAll(async () => {
    tlsPort = (await freePorts(1))[0]!
    const { cert, key, ca } = certificates()
    const files = ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', ca]
    server = await startRedis(['--tls-port', String(tlsPort), ...files, '--tls-auth-clients', 'no'])
  })
  afterAll(() => server.end())

  test('the right authority is taken', async () => {
    await write('redis', { url: `rediss://localhost:${tlsPort}`, 'tls.ca': certificates().ca, key: 'n', prefix: 'tls:' })
    const client = await redisClient(server.url)
    expect(await client.hGetAll('tls:7')).toMatchObject({ n: '7' })
    client.destroy()
  })

  test('another authority, none, or another name are refused at once, and said', async () => {
    const refused = (host: string, ca?: string) =>
      problemOf(
        write('redis', {
          url: `rediss://${host}:${tlsPort}`,
          key: 'n',
          prefix: 'no:',
          maxRetries: '20',
          ...(ca && { 'tls.ca': ca }),
        }) as never,
      )
    const because = (message: RegExp) => ({ code: 'REDIS_ACCESS_REFUSED', message: expect.stringMatching(message) })
    expect(await refused('localhost', certificates().otherCa)).toMatchObject(because(/certificate/i))
    expect(await refused('localhost')).toMatchObject(because(/certificate/i))
    expect(await refused('127.0.0.1', certificates().ca)).toMatchObject(because(/altnames|certificate/i))
  })

  test('a server that takes nobody without a certificate', async () => {
    const [port] = await freePorts(1)
    const { cert, key, ca, clientCert, clientKey } = certificates()
    const files = ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', ca]
    const strict = await startRedis(['--tls-port', String(port), ...files, '--tls-auth-clients', 'yes'])
    try {
      const options = { url: `rediss://localhost:${port}`, 'tls.ca': ca, key: 'n', prefix: 'certified:' }
      await write('redis', { ...options, 'tls.cert': clientCert, 'tls.key': clientKey })
      const client = await redisClient(strict.url)
      expect(await client.hGetAll('certified:7')).toMatchObject({ n: '7' })
      client.destroy()
      expect(await problemOf(write('redis', { ...options, maxRetries: '20' }) as never)).toMatchObject({ code: 'REDIS_ACCESS_REFUSED' })
    } finally {
      await strict.end()
    }
  })
})
