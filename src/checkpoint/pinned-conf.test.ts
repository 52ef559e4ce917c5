import { expect, test } from 'vitest'
import { systemRandom } from '../base/random.ts'
import {
  functionSemanticsKey,
  keyGroupsKey,
  newSalt,
  pinnedConf,
  providerClassKey,
  saltKey,
  shufflePartitionsKey,
  watermarkPolicyKey,
} from './pinned-conf.ts'

const requested = { [providerClassKey]: 'memory', [watermarkPolicyKey]: 'min', [shufflePartitionsKey]: '4', [saltKey]: 'aa' }

test('the first start pins what is asked for, and the defaults', () => {
  expect(pinnedConf(undefined, requested)).toEqual({
    conf: { ...requested, [keyGroupsKey]: '128', [functionSemanticsKey]: '1' },
    differences: [],
  })
  expect(pinnedConf(undefined, { ...requested, [keyGroupsKey]: '16' }).conf[keyGroupsKey]).toBe('16')
})
test('later the checkpoint wins, and says where', () => {
  const first = pinnedConf(undefined, requested).conf
  const later = pinnedConf(first, {
    [providerClassKey]: 'rocksdb',
    [watermarkPolicyKey]: 'max',
    [shufflePartitionsKey]: '4',
    [saltKey]: 'bb',
    [keyGroupsKey]: '128',
  })
  expect(later.conf).toEqual(first)
  expect(later.differences).toEqual([
    { key: providerClassKey, pinned: 'memory', requested: 'rocksdb' },
    { key: watermarkPolicyKey, pinned: 'min', requested: 'max' },
  ])
})
test('the number of partitions may change at any restart, up to the key groups', () => {
  const first = pinnedConf(undefined, requested).conf
  expect(pinnedConf(first, { ...requested, [shufflePartitionsKey]: '128' })).toMatchObject({
    conf: { [shufflePartitionsKey]: '128' },
    differences: [],
  })
  expect(pinnedConf(first, { [saltKey]: 'aa' }).conf[shufflePartitionsKey]).toBe('4')
  for (const partitions of ['129', '0', '-1', '1.5', 'many']) {
    expect(() => pinnedConf(first, { ...requested, [shufflePartitionsKey]: partitions })).toThrow(
      expect.objectContaining({ name: 'InvalidQueryError', code: 'INVALID_PARTITIONS' }),
    )
  }
})
test("a checkpoint of Spark keeps its conf, with Spark's old default, and gets Millrace's", () => {
  const { conf } = pinnedConf(
    { [providerClassKey]: 'HDFS', 'spark.sql.streaming.join.stateFormatVersion': '2' },
    { ...requested, [watermarkPolicyKey]: 'max' },
  )
  expect(conf).toMatchObject({
    [providerClassKey]: 'HDFS',
    [watermarkPolicyKey]: 'min',
    'spark.sql.streaming.join.stateFormatVersion': '2',
    [saltKey]: 'aa',
    [keyGroupsKey]: '128',
  })
})
test("what can't be right is refused", () => {
  const good = pinnedConf(undefined, requested).conf
  for (const [key, value] of [
    [saltKey, 'xyz'],
    [saltKey, ''],
    [keyGroupsKey, '0'],
    [functionSemanticsKey, 'one'],
  ] as const) {
    expect(() => pinnedConf({ ...good, [key]: value }, requested)).toThrow(
      expect.objectContaining({ name: 'CorruptCheckpointError', code: 'MALFORMED_PINNED_CONF', what: expect.stringContaining(key) }),
    )
  }
  const { [saltKey]: _, ...withoutSalt } = good
  expect(() => pinnedConf(withoutSalt, requested)).toThrow('MALFORMED_PINNED_CONF')
  expect(() => pinnedConf({ ...good, [functionSemanticsKey]: '2' }, requested)).toThrow('UNSUPPORTED_FUNCTION_SEMANTICS')
})
test('a salt is 16 random bytes', () => {
  expect(newSalt(systemRandom)).toMatch(/^[0-9a-f]{32}$/)
  expect(newSalt(systemRandom)).not.toBe(newSalt(systemRandom))
})
