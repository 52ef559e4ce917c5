import { describe, expect, test } from 'vitest'
import { InvalidQueryError } from '../base/errors.ts'
import { Conf, checkQueryKey } from './conf.ts'
import { EngineConf } from './engine-conf.ts'
import { queryOptions } from './query-options.ts'

const partitions = 'spark.sql.shuffle.partitions'
function problem(work: () => unknown): { code: string; text: string } {
  try {
    work()
  } catch (error) {
    if (error instanceof InvalidQueryError) return { code: error.code, text: error.message }
    throw error
  }
  throw new Error('nothing was thrown')
}
const codeOf = (key: string, value: string) => problem(() => new Conf({ [key]: value })).code

describe('values', () => {
  test('are read as their kind, in any case, and kept in one spelling', () => {
    const conf = new Conf({
      'spark.sql.streaming.multipleWatermarkPolicy': 'MAX',
      'spark.sql.streaming.noDataMicroBatches.enabled': 'False',
      'spark.sql.streaming.pollingDelay': ' 2 minutes ',
      [partitions]: 7,
      'millrace.memoryLimit': '2g',
    })
    expect(conf.get('spark.sql.streaming.multipleWatermarkPolicy')).toBe('max')
    expect(conf.flag('spark.sql.streaming.noDataMicroBatches.enabled')).toBe(false)
    expect(conf.durationMs('spark.sql.streaming.pollingDelay')).toBe(120_000)
    expect(conf.number(partitions)).toBe(7)
    expect(conf.bytes('millrace.memoryLimit')).toBe(2 * 2 ** 30)
    expect(conf.bytes('millrace.progressHistory.maxFileBytes')).toBe(4 * 2 ** 20)
    expect(new Conf({}).bytes('millrace.memoryLimit')).toBeUndefined()
  })

  test.each([
    [partitions, 'abc', 'INVALID_CONF_VALUE.TYPE_MISMATCH'],
    [partitions, '0', 'INVALID_CONF_VALUE.REQUIREMENT'],
    [partitions, '-1', 'INVALID_CONF_VALUE.REQUIREMENT'],
    [partitions, '1.5', 'INVALID_CONF_VALUE.TYPE_MISMATCH'],
    ['spark.sql.session.timeZone', 'Foo/Bar', 'INVALID_CONF_VALUE.TIME_ZONE'],
    ['spark.sql.streaming.noDataMicroBatches.enabled', 'maybe', 'INVALID_CONF_VALUE.TYPE_MISMATCH'],
    ['spark.sql.streaming.pollingDelay', '10 parsecs', 'INVALID_CONF_VALUE.TYPE_MISMATCH'],
    ['spark.sql.streaming.multipleWatermarkPolicy', 'avg', 'INVALID_CONF_VALUE.REQUIREMENT'],
    ['millrace.memoryLimit', 'a lot', 'INVALID_CONF_VALUE.TYPE_MISMATCH'],
    ['spark.sql.ansi.enabled', 'false', 'UNSUPPORTED_CONF_VALUE'],
    ['spark.sql.streaming.streamingQueryListeners', 'com.acme.Listener', 'UNSUPPORTED_CONF'],
    ['spark.sql.legacy.timeParserPolicy', 'LEGACY', 'UNSUPPORTED_CONF'],
  ])('%s = %s is %s', (key, value, code) => {
    expect(codeOf(key, value)).toBe(code)
  })

  test('a refusal says why, and what to do', () => {
    expect(problem(() => new Conf({ 'spark.sql.ansi.enabled': false })).text).toContain('use try_cast')
    expect(problem(() => new Conf({ 'spark.sql.streaming.streamingQueryListeners': 'x' })).text).toContain('engine.streams.addListener')
  })

  test('an unknown key names the nearest', () => {
    const { code, text } = problem(() => new Conf({ 'spark.sql.shufle.partitions': 1 }))
    expect([code, text.includes(`"${partitions}"`)]).toEqual(['SQL_CONF_NOT_FOUND', true])
  })

  test("a key with a name of JavaScript's own is unknown too", () => {
    expect(codeOf('constructor', '1')).toBe('SQL_CONF_NOT_FOUND')
    expect(new Conf({}).get('toString')).toBeUndefined()
  })

  test('the value that Spark has by default is taken, in any case', () => {
    expect(
      new Conf({ 'spark.sql.ansi.enabled': 'TRUE', 'spark.sql.sources.partitionOverwriteMode': 'STATIC' }).get('spark.sql.ansi.enabled'),
    ).toBe('true')
  })

  test('a whole key goes before the family that it is in, a longer family before a shorter', () => {
    expect(codeOf('spark.sql.legacy.anything', 'x')).toBe('UNSUPPORTED_CONF')
    expect(new Conf({ 'spark.sql.legacy.hive.thriftServer.useZeroBasedColumnOrdinalPosition': 'x' }).values).toEqual({
      'spark.sql.legacy.hive.thriftServer.useZeroBasedColumnOrdinalPosition': 'x',
    })
  })
})

describe('an engine', () => {
  const production = {
    'spark.executor.memory': '8g',
    'spark.executor.instances': 20,
    'spark.serializer': 'org.apache.spark.serializer.KryoSerializer',
    'spark.dynamicAllocation.enabled': true,
    'spark.sql.adaptive.enabled': true,
    'spark.sql.autoBroadcastJoinThreshold': '100MB',
    'spark.hadoop.fs.s3a.connection.maximum': 200,
    'spark.kubernetes.container.image': 'x',
    'spark.yarn.queue': 'prod',
    'spark.driver.extraJavaOptions': '-XX:+UseG1GC',
  }

  test('takes what a cluster needs, with one notice that names it', () => {
    const told: string[] = []
    const conf = new EngineConf({ ...production, [partitions]: 4 }, (text) => told.push(text))
    conf.set('spark.sql.adaptive.coalescePartitions.enabled', false)
    expect(told).toHaveLength(1)
    for (const key of Object.keys(production)) expect(told[0]).toContain(key)
    expect(told[0]).not.toContain(partitions)
    expect(conf.get('spark.executor.memory')).toBe('8g')
  })

  test('tells of the first such key that is set later where there was none before', () => {
    const told: string[] = []
    const conf = new EngineConf({}, (text) => told.push(text))
    expect(told).toEqual([])
    conf.set('spark.sql.adaptive.enabled', false)
    conf.set('spark.sql.cbo.enabled', false)
    expect(told).toHaveLength(1)
  })

  test('sets, reads and unsets while it runs', () => {
    const conf = new EngineConf({}, () => {})
    const before = conf.current
    conf.set(partitions, 7)
    expect([conf.get(partitions), conf.getAll]).toEqual(['7', { [partitions]: '7' }])
    conf.unset(partitions)
    expect(conf.get(partitions)).toBe(before.get(partitions))
    expect(before.values).toEqual({})
  })

  test('a failed set changes nothing', () => {
    const conf = new EngineConf({ [partitions]: 3 }, () => {})
    expect(problem(() => conf.set(partitions, 'many')).code).toBe('INVALID_CONF_VALUE.TYPE_MISMATCH')
    expect(conf.get(partitions)).toBe('3')
  })

  test('a key without value: SQL_CONF_NOT_FOUND, or what the caller says', () => {
    const conf = new EngineConf({}, () => {})
    expect(problem(() => conf.get('spark.sql.foo')).code).toBe('SQL_CONF_NOT_FOUND')
    expect(problem(() => conf.get('spark.executor.memory')).code).toBe('SQL_CONF_NOT_FOUND')
    expect(conf.get('spark.executor.memory', '1g')).toBe('1g')
    expect(conf.get('spark.sql.foo', null)).toBeNull()
  })

  test('keys of the whole engine cannot be changed while it runs', () => {
    const conf = new EngineConf({}, () => {})
    for (const key of ['spark.executor.memory', 'spark.sql.session.timeZone', 'spark.sql.warehouse.dir']) {
      expect([conf.isModifiable(key), problem(() => conf.set(key, 'UTC')).code, problem(() => conf.unset(key)).code]).toEqual([
        false,
        'CANNOT_MODIFY_CONFIG',
        'CANNOT_MODIFY_CONFIG',
      ])
    }
    expect(conf.isModifiable(partitions)).toBe(true)
    expect(conf.isModifiable('spark.sql.adaptive.enabled')).toBe(true)
    expect(conf.isModifiable('spark.sql.nothing')).toBe(false)
    expect(problem(() => conf.set('spark.sql.nothing', 1)).code).toBe('SQL_CONF_NOT_FOUND')
  })
})

describe('options of one query', () => {
  test('are divided between the query and the sink, names in any case', () => {
    const given = { CheckpointLocation: 'cp', path: 'out', [partitions]: '3', targetBatchDuration: '2s', takeOver: 'true', header: 'true' }
    expect(queryOptions(given)).toEqual({
      checkpointLocation: 'cp',
      takeover: true,
      conf: { [partitions]: '3', 'millrace.targetBatchDuration': '2s' },
      sink: { path: 'out', header: 'true' },
    })
  })

  test('a key of the whole engine is refused, an unknown one too', () => {
    expect(problem(() => checkQueryKey('spark.sql.session.timeZone')).code).toBe('CANNOT_MODIFY_CONFIG')
    expect(problem(() => queryOptions({ 'spark.sql.shufle.partitions': '1' })).code).toBe('SQL_CONF_NOT_FOUND')
  })

  test('late logs are refused', () => {
    expect(queryOptions({ asyncProgressTrackingEnabled: 'false', asyncProgressTrackingCheckpointIntervalMs: '5' }).sink).toEqual({})
    expect(problem(() => queryOptions({ asyncProgressTrackingEnabled: 'true' })).code).toBe('UNSUPPORTED_OPTION')
  })
})
