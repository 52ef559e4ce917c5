// TextSocketStreamSuite of Spark 4.2.0, against a real TCP server.
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer, type Server, type Socket } from 'node:net'
import { millrace, t } from 'millrace'
import { afterEach, expect, test } from 'vitest'
import { useEngine } from './harness.ts'
import { useInputFolders } from './input-folder.ts'

const printed: string[] = []
const engine = useEngine({ print: (text) => printed.push(text) })
const newFolder = useInputFolders()
const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

async function serve() {
  const clients: Socket[] = []
  const server = createServer((socket) => clients.push(socket))
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    clients,
    async client() {
      if (clients.length === 0) await once(server, 'connection')
      return clients.at(-1)!
    },
  }
}
const read = (port: number) => engine().readStream.format('socket').option('host', '127.0.0.1').option('port', port)

/** Lets the event loop turn until something has happened. */
async function until(happened: () => boolean) {
  while (!happened()) await new Promise((resolve) => setImmediate(resolve))
}
const table = (name: string) => engine().memoryTable(name)

test('lines of a connection, cut in odd places, are rows in order', async () => {
  const server = await serve()
  const query = await read(server.port).load().writeStream.format('memory').queryName('lines').start()
  const client = await server.client()
  const rows = async (count: number) => {
    await until(() => table('lines').length >= count)
    return table('lines').map((row) => row['value'])
  }
  client.write('hello\nwor')
  expect(await rows(1)).toEqual(['hello'])
  const e = Buffer.from('é')
  client.write(Buffer.concat([Buffer.from('ld\r\n\nx'), e.subarray(0, 1)]))
  expect(await rows(3)).toEqual(['hello', 'world', ''])
  client.write(Buffer.concat([e.subarray(1), Buffer.from('\n')]))
  expect(await rows(4)).toEqual(['hello', 'world', '', 'xé'])
  client.end('last')
  expect(await rows(5)).toEqual(['hello', 'world', '', 'xé', 'last'])
  expect(query.isActive).toBe(true)
  expect(query.lastProgress!.sources[0]!.description).toBe(`TextSocketV2[host: 127.0.0.1, port: ${server.port}]`)
  await query.stop()
  expect(printed.join('\n')).toMatch(/not fault tolerant[\s\S]*has closed the connection/)
})

test('includeTimestamp adds the time of arrival', async () => {
  const server = await serve()
  const frame = read(server.port).option('includeTimestamp', true).load()
  expect(frame.schema.fields.map(({ name, type }) => [name, type])).toEqual([
    ['value', 'string'],
    ['timestamp', 'timestamp'],
  ])
  const before = Date.now()
  const query = await frame.writeStream.format('memory').queryName('stamped').start()
  ;(await server.client()).write('a\n')
  await until(() => table('stamped').length >= 1)
  const at = (table('stamped')[0]!['timestamp'] as { epochMilliseconds: number }).epochMilliseconds
  expect(at).toBeGreaterThanOrEqual(before)
  expect(at).toBeLessThanOrEqual(Date.now())
  await query.stop()
})

test('a connection that breaks ends the query with UnavailableError, after what had arrived; a restart connects again and goes on counting', async () => {
  const folder = await newFolder()
  const server = await serve()
  const seen: unknown[] = []
  const start = () =>
    read(server.port)
      .load()
      .writeStream.option('checkpointLocation', folder.beside('cp'))
      .foreachBatch(async (rows) => void seen.push(...(await rows.collect()).map(({ value }) => value)))
      .start()
  const first = await start()
  const client = await server.client()
  client.write('a\n')
  await until(() => seen.length >= 1)
  client.resetAndDestroy()
  await expect(first.awaitTermination()).rejects.toThrow(/SOCKET_CONNECTION_LOST/)
  server.clients.length = 0
  const second = await start()
  ;(await server.client()).write('b\n')
  await until(() => seen.length >= 2)
  expect(seen).toEqual(['a', 'b'])
  await second.stop()
  expect(second.lastProgress!.sources[0]!.endOffset).toBe(1)
})

test('wrong options, a schema, and nobody at the port', async () => {
  const load = (options: Record<string, string | number>) => () => engine().readStream.format('socket').options(options).load()
  expect(load({})).toThrow(/MISSING_OPTION.*"host"/s)
  expect(load({ host: 'localhost' })).toThrow(/MISSING_OPTION.*"port"/s)
  expect(load({ host: 'localhost', port: 'x' })).toThrow(/INVALID_OPTION_VALUE.*port/s)
  expect(load({ host: 'localhost', port: 70000 })).toThrow(/65535/)
  expect(load({ host: 'localhost', port: 9, includeTimestamp: 'x' })).toThrow(/includeTimestamp/)
  expect(() => engine().readStream.schema({ a: t.int() }).format('socket').option('host', 'h').option('port', 9).load()).toThrow(
    /UNSUPPORTED_USER_SPECIFIED_SCHEMA/,
  )
  await using own = await millrace.local({ threads: 1, print: () => {} })
  const server = await serve()
  servers.pop()!.close()
  const start = own.readStream.format('socket').option('host', '127.0.0.1').option('port', server.port).load().writeStream.format('noop')
  await expect(start.start()).rejects.toThrow(/SOCKET_CONNECTION_FAILED/)
})
