import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseJaas } from './jaas.ts'
import { offsetJson, offsetsOf, proRata } from './offsets.ts'
import { sourceOptions } from './source-options.ts'

const basic = { 'kafka.bootstrap.servers': 'a:9092, b:9093', subscribe: 'clicks, views' }
const stream = (options: Record<string, string>) => sourceOptions({ ...basic, ...options }, 'stream')
const codeOf = (work: () => unknown) => {
  try {
    work()
  } catch (error) {
    return (error as { code?: string }).code
  }
  return 'fine'
}

describe('options of the source', () => {
  test('defaults are those of the reference', () => {
    expect(stream({})).toMatchObject({
      subscription: { kind: 'subscribe', topics: ['clicks', 'views'] },
      starting: { kind: 'latest' },
      unmatchedTimestamp: 'error',
      failOnDataLoss: true,
      maxTriggerDelayMs: 900_000,
      includeHeaders: false,
      readCommitted: false,
      checkCrcs: true,
      commit: undefined,
      connection: {
        bootstrap: [
          { host: 'a', port: 9092 },
          { host: 'b', port: 9093 },
        ],
        requestTimeoutMs: 30_000,
      },
    })
    expect(sourceOptions(basic, 'batch')).toMatchObject({ starting: { kind: 'earliest' }, ending: { kind: 'latest' } })
  })

  test('a batch commits no offsets', () => {
    expect(() => sourceOptions({ ...basic, commitOffsets: 'true' }, 'batch')).toThrow('UNSUPPORTED_OPTION')
    expect(sourceOptions({ ...basic, commitOffsets: 'false' }, 'batch').commit).toBeUndefined()
  })

  const wrong: [Record<string, string>, string][] = [
    [{ startingOffsets: 'now' }, 'INVALID_OPTION_VALUE'],
    [{ startingOffsets: '{"clicks":[1]}' }, 'INVALID_OPTION_VALUE'],
    [{ startingOffsets: '{"clicks":{"0":-3}}' }, 'INVALID_OPTION_VALUE'],
    [{ startingTimestamp: 'yesterday' }, 'INVALID_OPTION_VALUE'],
    [{ startingOffsetsByTimestamp: '{"clicks":{"0":-1}}' }, 'INVALID_OPTION_VALUE'],
    [{ startingOffsetsByTimestampStrategy: 'nearest' }, 'INVALID_OPTION_VALUE'],
    [{ endingOffsets: 'latest' }, 'UNSUPPORTED_OPTION'],
    [{ endingTimestamp: '1' }, 'UNSUPPORTED_OPTION'],
    [{ failOnDataLoss: 'maybe' }, 'INVALID_OPTION_VALUE'],
    [{ maxOffsetsPerTrigger: '0' }, 'INVALID_OPTION_VALUE'],
    [{ minOffsetsPerTrigger: '5', maxOffsetsPerTrigger: '4' }, 'INVALID_OPTION_VALUE'],
    [{ subscribePattern: '.*' }, 'CONFLICTING_OPTIONS'],
    [{ subscribe: ' , ' }, 'INVALID_OPTION_VALUE'],
    [{ subscribe: '' }, 'INVALID_OPTION_VALUE'],
    [{ startingOffset: 'latest' }, 'UNKNOWN_OPTION'],
    [{ 'kafka.auto.offset.reset': 'latest' }, 'UNSUPPORTED_OPTION'],
    [{ 'kafka.enable.auto.commit': 'true' }, 'UNSUPPORTED_OPTION'],
    [{ 'kafka.key.deserializer': 'x' }, 'UNSUPPORTED_OPTION'],
    [{ 'kafka.value.deserializer': 'x' }, 'UNSUPPORTED_OPTION'],
    [{ 'kafka.interceptor.classes': 'x' }, 'UNSUPPORTED_OPTION'],
    [{ 'kafka.ssl.engine.factory.class': 'x' }, 'UNSUPPORTED_OPTION'],
    [{ 'kafka.security.protocl': 'SSL' }, 'UNKNOWN_OPTION'],
    [{ 'kafka.security.protocol': 'TLS' }, 'INVALID_OPTION_VALUE'],
    [{ 'kafka.isolation.level': 'serializable' }, 'INVALID_OPTION_VALUE'],
    [{ 'kafka.bootstrap.servers': 'nowhere' }, 'INVALID_OPTION_VALUE'],
    [{ 'kafka.bootstrap.servers': '' }, 'MISSING_OPTION'],
    [{ 'kafka.security.protocol': 'SASL_SSL' }, 'MISSING_OPTION'],
    [{ 'kafka.security.protocol': 'SASL_SSL', 'kafka.sasl.mechanism': 'PLAIN' }, 'MISSING_OPTION'],
    [{ 'kafka.security.protocol': 'SASL_SSL', 'kafka.sasl.mechanism': 'GSSAPI' }, 'INVALID_OPTION_VALUE'],
    [{ 'kafka.security.protocol': 'SASL_SSL', 'kafka.sasl.mechanism': 'OAUTHBEARER' }, 'MISSING_OPTION'],
    [
      { 'kafka.security.protocol': 'SASL_SSL', 'kafka.sasl.mechanism': 'PLAIN', 'kafka.sasl.jaas.config': 'secret words' },
      'INVALID_OPTION_VALUE',
    ],
    [{ 'kafka.sasl.jaas.config': 'x required;' }, 'INVALID_OPTION_VALUE'],
    [{ 'kafka.security.protocol': 'SSL', 'kafka.ssl.truststore.location': '/no/such/file.pem' }, 'INVALID_OPTION_VALUE'],
    [{ 'kafka.security.protocol': 'SSL', 'kafka.ssl.truststore.location': '/in/store.jks' }, 'INVALID_OPTION_VALUE'],
  ]
  test.each(wrong)('%o', (options, code) => {
    expect(codeOf(() => stream(options))).toBe(code)
  })
  const wrongBatches: [Record<string, string>, string][] = [
    [{ startingOffsets: 'latest' }, 'INVALID_OPTION_VALUE'],
    [{ startingOffsets: '{"clicks":{"0":-1}}' }, 'INVALID_OPTION_VALUE'],
    [{ endingOffsets: 'earliest' }, 'INVALID_OPTION_VALUE'],
    [{ endingOffsets: '{"clicks":{"0":-2}}' }, 'INVALID_OPTION_VALUE'],
    [
      { startingOffsets: '{"t":{"0":1,"1":1,"2":1}}', endingOffsets: '{"t":{"0":0,"1":0}}' },
      'MISMATCHED_TOPIC_PARTITIONS_BETWEEN_START_OFFSET_AND_END_OFFSET',
    ],
    [{ startingOffsets: '{"t":{"0":1,"1":1}}', endingOffsets: '{"t":{"0":1,"1":0}}' }, 'UNRESOLVED_START_OFFSET_GREATER_THAN_END_OFFSET'],
    [{ startingOffsets: '{"t":{"0":1,"1":-2}}', endingOffsets: '{"t":{"0":-1,"1":0}}' }, 'fine'],
    [{ startingOffsetsByTimestamp: '{"t":{"0":9223372036854775807}}', endingTimestamp: '9223372036854775807' }, 'fine'],
  ]
  test.each(wrongBatches)('of a batch: %o', (options, code) => {
    expect(codeOf(() => sourceOptions({ ...basic, ...options }, 'batch'))).toBe(code)
  })
  test('an empty pattern fits no topic', () => {
    expect(codeOf(() => sourceOptions({ 'kafka.bootstrap.servers': 'a:1', subscribePattern: '' }, 'stream'))).toBe('INVALID_OPTION_VALUE')
    expect(codeOf(() => sourceOptions({ 'kafka.bootstrap.servers': 'a:1', assign: '' }, 'stream'))).toBe('INVALID_OPTION_VALUE')
  })
  test('without topics there is nothing to read', () => {
    expect(codeOf(() => sourceOptions({ 'kafka.bootstrap.servers': 'a:1' }, 'stream'))).toBe('MISSING_OPTION')
  })
  test('a login that cannot be read does not come into the message', () => {
    const options = { 'kafka.security.protocol': 'SASL_SSL', 'kafka.sasl.mechanism': 'PLAIN', 'kafka.sasl.jaas.config': 'hunter2' }
    expect(() => stream(options)).toThrow(/^(?!.*hunter2)/s)
  })
  test("properties of the Java client's own machinery have no effect", () => {
    expect(stream({ 'kafka.receive.buffer.bytes': '1', 'kafka.max.poll.records': '5', 'kafka.Session.Timeout.ms': '1' })).toEqual(
      stream({}),
    )
  })
  test('offsets go to a group of a name of its own, or of the name that is given', () => {
    expect(stream({ commitOffsets: 'true', groupIdPrefix: 'p' }).commit).toEqual({ id: null, prefix: 'p' })
    expect(stream({ commitOffsets: 'true', 'kafka.group.id': 'g' }).commit).toMatchObject({ id: 'g' })
  })
})

test('a JAAS login is read with quotes, escapes and any order', () => {
  const text = `org.apache.kafka.common.security.plain.PlainLoginModule required\n  password="a \\"b\\" ; c"\n username='me' x=1 ;`
  expect(parseJaas(text)).toEqual({ module: 'PlainLoginModule', options: { password: 'a "b" ; c', username: 'me', x: '1' } })
  for (const bad of ['', 'x', 'M required password="open', 'M required a=1 b', 'M required a=1; N required'])
    expect(parseJaas(bad)).toBeUndefined()
})

test('offsets go to JSON and back, in the order of Spark', () => {
  const offsets = new Map([
    ['b-10', 1],
    ['b-9', 2],
    ['a-b-0', 3],
  ])
  expect(JSON.stringify(offsetJson(offsets))).toBe('{"a-b":{"0":3},"b":{"9":2,"10":1}}')
  expect(offsetsOf(offsetJson(offsets))).toEqual(offsets)
  for (const bad of [null, 3, [], { a: 1 }, { a: { x: 1 } }, { a: { 0: -1 } }, { a: { 0: 1.5 } }, { logOffset: 3 }]) {
    expect(codeOf(() => offsetsOf(bad))).toBe('MALFORMED_OFFSET')
  }
})

test('a limit is shared pro rata: nobody starves, nobody gets more than waits, and few more than the limit are taken', () => {
  const partitions = fc.array(fc.tuple(fc.nat(1000), fc.nat(5000)), { minLength: 1, maxLength: 20 })
  fc.assert(
    fc.property(partitions, fc.integer({ min: 1, max: 4000 }), (sizes, limit) => {
      const from = new Map(sizes.map(([begin], i) => [`t-${i}`, begin]))
      const until = new Map(sizes.map(([begin, size], i) => [`t-${i}`, begin + size]))
      const cut = proRata(limit, from, until)
      let taken = 0
      for (const [key, end] of cut) {
        const waits = until.get(key)! - from.get(key)!
        const took = end - from.get(key)!
        expect(took).toBeLessThanOrEqual(waits)
        if (waits > 0) expect(took).toBeGreaterThan(0)
        taken += took
      }
      expect(taken).toBeLessThanOrEqual(limit + sizes.length)
    }),
  )
})
