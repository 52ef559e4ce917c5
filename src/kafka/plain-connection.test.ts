import { createServer, type Server, type Socket } from 'node:net'
import * as library from '@platformatic/kafka'
import { afterEach, expect, test } from 'vitest'
import { FrameMemory } from './frame-memory.ts'
import { PlainConnection } from './plain-connection.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

/** A connection to a server that does with each request, by its correlation id, what the test says. */
async function connectTo(respond: (socket: Socket, correlationId: number) => void, requestTimeoutMs = 20_000) {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    // requests of these tests are small: each comes in one piece, or several in one
    socket.on('data', (bytes) => {
      for (let at = 0; at < bytes.length; at += 4 + bytes.readInt32BE(at)) respond(socket, bytes.readInt32BE(at + 8))
    })
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const connection = new PlainConnection(
    library as never,
    { clientId: 'test', connectTimeoutMs: 5000, requestTimeoutMs },
    new FrameMemory(),
  )
  await connection.connect('127.0.0.1', (server.address() as { port: number }).port)
  return connection
}
/** A request whose answer is a number and a text of so many letters. */
const api = library.createAPI<[], { id: number; letters: number }>(
  1,
  12,
  () => library.Writer.create().appendInt32(7),
  (_id, _key, _version, reader) => ({ id: reader.readInt32(), letters: reader.buffer.length - 4 }),
)
function answer(correlationId: number, letters: number): Buffer {
  const bytes = Buffer.alloc(4 + 4 + 1 + 4 + letters, 65)
  bytes.writeInt32BE(bytes.length - 4, 0)
  bytes.writeInt32BE(correlationId, 4)
  bytes[8] = 0
  bytes.writeInt32BE(correlationId * 10, 9)
  return bytes
}

test('answers go to their requests, in any order and of any size', async () => {
  const waiting: number[] = []
  const connection = await connectTo((socket, id) => {
    waiting.push(id)
    if (waiting.length < 3) return
    for (const each of waiting.reverse()) socket.write(answer(each, each * 700_000))
  })
  const answers = await Promise.all([1, 2, 3].map(() => api.async(connection.asConnection())))
  expect(answers.map(({ letters }) => letters)).toEqual([700_000, 1_400_000, 2_100_000])
  expect(answers.map(({ id }) => id)).toEqual([10, 20, 30])
  await connection.close()
})

test('a connection that ends rejects what waits, once, and takes nothing more', async () => {
  const connection = await connectTo((socket) => socket.destroy())
  const closed = new Promise((resolve) => connection.once('close', resolve))
  const network = { code: 'PLT_KFK_NETWORK' }
  await expect(api.async(connection.asConnection())).rejects.toMatchObject(network)
  await closed
  await expect(api.async(connection.asConnection())).rejects.toMatchObject(network)
  await connection.close()
})

test('an answer that does not come in time, and one that nobody asked for, end the connection', async () => {
  const silent = await connectTo(() => {}, 50)
  await expect(api.async(silent.asConnection())).rejects.toMatchObject({ message: 'Request timed out', canRetry: true })
  await expect(api.async(silent.asConnection())).rejects.toMatchObject({ code: 'PLT_KFK_NETWORK' })
  const confused = await connectTo((socket, id) => socket.write(answer(id + 5, 10)))
  await expect(api.async(confused.asConnection())).rejects.toMatchObject({ code: 'PLT_KFK_NETWORK' })
})

test('a port that nobody listens on is told as what may pass', async () => {
  const connection = new PlainConnection(
    library as never,
    { clientId: 'test', connectTimeoutMs: 5000, requestTimeoutMs: 1000 },
    new FrameMemory(),
  )
  await expect(connection.connect('127.0.0.1', 1)).rejects.toMatchObject({ code: 'PLT_KFK_NETWORK', canRetry: true })
})
