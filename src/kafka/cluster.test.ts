import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Broker } from '../../test/kafka/broker.ts'
import { testUser } from '../../test/kafka/secure-listeners.ts'
import { describeKafka, type SharedBroker, sharedBroker, uniqueName } from '../../test/kafka/shared-broker.ts'
import { createTopic, deleteTopic, openCluster } from '../../test/kafka/topics.ts'

describeKafka('a cluster', () => {
  let broker: SharedBroker
  beforeAll(async () => {
    broker = await sharedBroker()
  })

  test('names its topics with partitions and leaders; one that is missing is missing from the answer', async () => {
    const cluster = await openCluster(broker.bootstrap)
    const name = uniqueName('clicks')
    await createTopic(cluster, name, 3)
    const { topics, brokers } = await cluster.metadata([name, 'not-there'])
    expect([...topics.keys()]).toEqual([name])
    expect([...topics.get(name)!.partitions.keys()].sort()).toEqual([0, 1, 2])
    expect(brokers.size).toBe(1)
    expect((await cluster.leaderOf(name, 2)).nodeId).toBe(1)
    expect([...(await cluster.metadata(null)).topics.keys()]).toContain(name)
    await deleteTopic(cluster, name)
    await cluster.close()
  })

  test('finds the coordinator of a group', async () => {
    const cluster = await openCluster(broker.bootstrap)
    const found = await cluster.retrying('the coordinator was asked for', () => cluster.coordinatorOf('group', uniqueName('g')))
    expect(found.nodeId).toBe(1)
    await cluster.close()
  })

  test('the first server that answers is enough', async () => {
    const cluster = await openCluster(`127.0.0.1:1,${broker.bootstrap}`)
    expect((await cluster.metadata([])).brokers.size).toBe(1)
    await cluster.close()
  })

  test('where nobody answers, the error names the servers', async () => {
    const cluster = await openCluster('127.0.0.1:1', { 'kafka.default.api.timeout.ms': '300' })
    await expect(cluster.metadata(null)).rejects.toMatchObject({ code: 'KAFKA_UNAVAILABLE', name: 'UnavailableError' })
    await expect(cluster.metadata(null)).rejects.toThrow(/127\.0\.0\.1:1 could not be reached: .*ECONNREFUSED/)
    await cluster.close()
  })

  test('TLS: with the authority of the broker; refused without it, and over a listener that has no TLS', async () => {
    const { tls, caFile } = broker.secure
    const trusted = await openCluster(tls, { 'kafka.security.protocol': 'SSL', 'kafka.ssl.truststore.location': caFile })
    expect((await trusted.metadata([])).brokers.size).toBe(1)
    await trusted.close()
    const untrusted = await openCluster(tls, { 'kafka.security.protocol': 'SSL' })
    await expect(untrusted.metadata([])).rejects.toMatchObject({ code: 'KAFKA_TLS_FAILED' })
    await untrusted.close()
    const plain = await openCluster(tls, { 'kafka.default.api.timeout.ms': '300' })
    await expect(plain.metadata([])).rejects.toMatchObject({ code: expect.stringMatching(/KAFKA_(TLS_FAILED|UNAVAILABLE)/) })
    await plain.close()
  })

  const login = (module: string, password = testUser.password) =>
    `org.apache.kafka.common.security.${module} required username="${testUser.name}" password="${password}";`
  const logins = [
    { mechanism: 'PLAIN', module: 'plain.PlainLoginModule' },
    { mechanism: 'SCRAM-SHA-256', module: 'scram.ScramLoginModule' },
    { mechanism: 'SCRAM-SHA-512', module: 'scram.ScramLoginModule' },
  ]
  test.each(logins)('SASL $mechanism lets in who has the password', async ({ mechanism, module }) => {
    const options = (password?: string) => ({
      'kafka.security.protocol': 'SASL_PLAINTEXT',
      'kafka.sasl.mechanism': mechanism,
      'kafka.sasl.jaas.config': login(module, password),
    })
    const cluster = await openCluster(broker.secure.sasl, options())
    expect((await cluster.metadata([])).brokers.size).toBe(1)
    await cluster.close()
    const stranger = await openCluster(broker.secure.sasl, options('guess'))
    await expect(stranger.metadata([])).rejects.toMatchObject({ code: 'KAFKA_AUTHENTICATION_FAILED' })
    await expect(stranger.metadata([])).rejects.not.toThrow(/guess/)
    await stranger.close()
  })

  test('SASL over TLS', async () => {
    const cluster = await openCluster(broker.secure.saslTls, {
      'kafka.security.protocol': 'SASL_SSL',
      'kafka.ssl.truststore.location': broker.secure.caFile,
      'kafka.sasl.mechanism': 'SCRAM-SHA-512',
      'kafka.sasl.jaas.config': login('scram.ScramLoginModule'),
    })
    expect((await cluster.metadata([])).brokers.size).toBe(1)
    await cluster.close()
  })

  const oauth = { 'kafka.security.protocol': 'SASL_PLAINTEXT', 'kafka.sasl.mechanism': 'OAUTHBEARER' }
  test('SASL OAUTHBEARER with a token that only names who one is', async () => {
    const module = 'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="mill";'
    const cluster = await openCluster(broker.secure.sasl, { ...oauth, 'kafka.sasl.jaas.config': module })
    expect((await cluster.metadata([])).brokers.size).toBe(1)
    await cluster.close()
  })

  test('SASL OAUTHBEARER with a token of an endpoint, asked for once', async () => {
    const seen: string[] = []
    const endpoint = await tokenEndpoint(seen)
    const module = `org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required clientId="mill" clientSecret="s" scope="read";`
    const url = `http://127.0.0.1:${(endpoint.address() as { port: number }).port}/token`
    const options = { ...oauth, 'kafka.sasl.jaas.config': module, 'kafka.sasl.oauthbearer.token.endpoint.url': url }
    const cluster = await openCluster(broker.secure.sasl, options)
    expect((await cluster.metadata([])).brokers.size).toBe(1)
    await cluster.request((await cluster.metadata([])).brokers.get(1)!, [cluster.library.metadataV12.api], [], false, false)
    expect(seen).toEqual([`Basic ${btoa('mill:s')} grant_type=client_credentials&scope=read`])
    await cluster.close()
    endpoint.close()
  })
})

describeKafka('a broker of its own', () => {
  let broker: Broker
  beforeAll(async () => {
    broker = await Broker.start()
  })
  afterAll(() => broker.stop())

  test('that was restarted is found again by the same connection', async () => {
    const cluster = await openCluster(broker.bootstrap)
    await createTopic(cluster, 'kept')
    await broker.restart('SIGKILL')
    expect([...(await cluster.metadata(['kept'])).topics.keys()]).toEqual(['kept'])
    await cluster.close()
  })
})

/** Answers every request for a token with an unsecured one, and notes what it was asked. */
async function tokenEndpoint(seen: string[]): Promise<Server> {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const nowSeconds = Math.floor(Date.now() / 1000)
  const token = `${part({ alg: 'none' })}.${part({ sub: 'mill', iat: nowSeconds, exp: nowSeconds + 600 })}.`
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += String(chunk)
    seen.push(`${request.headers.authorization} ${body}`)
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ access_token: token, expires_in: 600 }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}
