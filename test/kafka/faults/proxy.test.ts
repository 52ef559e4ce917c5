import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type AnswerFate, type Interference, KafkaProxy, noInterference, type RequestFate } from './proxy.ts'
import { Frames, type Request, requestOf } from './wire.ts'

/** A broker that answers each request with its correlation id and how many requests it has had. */
let server: Server
let proxy: KafkaProxy
let seen: Request[] = []
beforeEach(async () => {
  seen = []
  server = createServer((socket) => {
    const frames = new Frames()
    let pieces = Promise.resolve()
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      for (const frame of frames.push(bytes)) {
        const request = requestOf(frame)
        seen.push(request)
        const answer = Buffer.alloc(12)
        answer.writeInt32BE(8, 0)
        answer.writeInt32BE(request.correlationId, 4)
        answer.writeInt32BE(seen.length, 8)
        // in two pieces
        pieces = pieces.then(async () => {
          socket.write(answer.subarray(0, 5))
          await new Promise((resolve) => setTimeout(resolve, 1))
          socket.write(answer.subarray(5))
        })
      }
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  proxy = await KafkaProxy.listen(0, () => (server.address() as { port: number }).port)
})
afterEach(async () => {
  await proxy.close()
  server.close()
})

test('requests are told by key, version, correlation id and client, and pass in order', async () => {
  const client = await Client.connect()
  client.send(26, 4, 7)
  expect(await client.next()).toEqual([7, 1])
  client.send(22, 3, 8)
  expect(await client.next()).toEqual([8, 2])
  expect(seen.map(({ api, version, clientId }) => [api, version, clientId])).toEqual([
    ['EndTxn', 4, 'mill'],
    ['InitProducerId', 3, 'mill'],
  ])
})

test('a message that comes in pieces and two that come in one', () => {
  const frames = new Frames()
  const bytes = Buffer.concat([message(0, 9, 1), message(1, 11, 2)])
  const found = [...bytes].flatMap((_, i) => frames.push(bytes.subarray(i, i + 1)))
  expect(found.map((frame) => requestOf(frame).api)).toEqual(['Produce', 'Fetch'])
  expect(frames.push(bytes)).toHaveLength(2)
})

test.each([
  ['first', [5, 1]],
  ['second', [5, 2]],
] as const)('a request that is doubled: the %s answer', async (answer, expected) => {
  nextMeets({ request: () => ({ kind: 'twice', answer }) })
  const client = await Client.connect()
  client.send(26, 4, 5)
  expect(await client.next()).toEqual(expected)
  client.send(26, 4, 6)
  expect(await client.next()).toEqual([6, 3])
})

test('an answer that is doubled', async () => {
  nextMeets({ answer: () => ({ kind: 'twice' }) })
  const client = await Client.connect()
  client.send(26, 4, 5)
  expect([await client.next(), await client.next()]).toEqual([
    [5, 1],
    [5, 1],
  ])
})

test('an answer that is dropped: the broker has had the request, and the connection is gone', async () => {
  nextMeets({ answer: () => ({ kind: 'cut' }) })
  const client = await Client.connect()
  client.send(26, 4, 5)
  await client.closed
  expect([seen.length, client.answers]).toEqual([1, []])
})

test('a request that is lost, and one that comes after the connection is gone', async () => {
  nextMeets({ request: () => ({ kind: 'cut', deliverAfterMs: null }) })
  const first = await Client.connect()
  first.send(26, 4, 5)
  await first.closed
  expect(seen).toEqual([])
  nextMeets({ request: () => ({ kind: 'cut', deliverAfterMs: 20 }) })
  const second = await Client.connect()
  second.send(26, 4, 6)
  await second.closed
  await expect.poll(() => seen.length).toBe(1)
})

test('a request that is held is overtaken by none of its connection', async () => {
  const held = Promise.withResolvers<RequestFate>()
  nextMeets({ request: () => held.promise })
  const client = await Client.connect()
  client.send(0, 9, 1)
  client.send(26, 4, 2)
  held.resolve({ kind: 'pass' })
  expect([await client.next(), await client.next()].map(([id]) => id)).toEqual([1, 2])
})

/** Interferes with the next message alone. */
function nextMeets(fates: { request?: () => RequestFate | Promise<RequestFate>; answer?: () => AnswerFate }): void {
  const pass = { kind: 'pass' } as const
  const { request, answer } = fates
  const interference: Interference = {
    ...noInterference,
    request: () => (request ? take(request) : pass),
    answer: () => (answer ? take(answer) : pass),
  }
  const take = <T>(make: () => T): T => {
    proxy.interference = noInterference
    return make()
  }
  proxy.interference = interference
}

class Client {
  readonly answers: [number, number][] = []
  readonly closed: Promise<unknown>
  readonly #socket: Socket
  #taken = 0
  private constructor(socket: Socket) {
    this.#socket = socket
    this.closed = new Promise((resolve) => socket.once('close', resolve))
    const frames = new Frames()
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      for (const frame of frames.push(bytes)) this.answers.push([frame.readInt32BE(4), frame.readInt32BE(8)])
    })
  }
  static async connect(): Promise<Client> {
    const socket = connect(proxy.port, '127.0.0.1')
    await once(socket, 'connect')
    return new Client(socket)
  }
  send(key: number, version: number, correlationId: number): void {
    this.#socket.write(message(key, version, correlationId))
  }
  async next(): Promise<[number, number]> {
    await expect.poll(() => this.answers.length).toBeGreaterThan(this.#taken)
    return this.answers[this.#taken++]!
  }
}

function message(key: number, version: number, correlationId: number): Buffer {
  const bytes = Buffer.alloc(18)
  bytes.writeInt32BE(14, 0)
  bytes.writeInt16BE(key, 4)
  bytes.writeInt16BE(version, 6)
  bytes.writeInt32BE(correlationId, 8)
  bytes.writeInt16BE(4, 12)
  bytes.write('mill', 14)
  return bytes
}
