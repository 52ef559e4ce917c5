// Any restart may have another number of partitions: the rows stay right, for steps that keep one row a key and for those that keep many.
import { expr, MemoryStream, t } from 'millrace'
import { addData, checkNewAnswer, type StreamAction, startStream, stopStream, testStream } from 'millrace/testing'
import { describe, expect, test } from 'vitest'
import { providerKey, providers } from '../oracle/property.ts'
import { useEngine } from './harness.ts'

const partitionsKey = 'spark.sql.shuffle.partitions'
const fields = { k: t.int(), at: t.int() }
type Untyped = any
const at = (...list: readonly (readonly [number, number])[]) => list.map(([k, at]) => ({ k, at }))
const keys = Array.from({ length: 50 }, (_, k) => k)

describe.each(providers)('%s', (provider) => {
  const engine = useEngine({ conf: { [providerKey]: provider, [partitionsKey]: '2', 'millrace.keyGroups': 16 } })
  const setPartitions = (partitions: number): StreamAction => ({
    name: 'set the number of partitions',
    needsQuery: false,
    run: async () => engine().conf.set(partitionsKey, String(partitions)),
  })
  const restartWith = (partitions: number) => [stopStream(), setPartitions(partitions), startStream()]
  const partitionsAre = (expected: number): StreamAction => ({
    name: 'number of partitions',
    async run(running) {
      await running.settle()
      expect(running.progresses.at(-1)!.stateOperators[0]!.numShufflePartitions).toBe(expected)
    },
  })

  test('sessions', async () => {
    const input = new MemoryStream(engine(), fields)
    const query = (input.toDF().selectExpr('k', 'timestamp_seconds(at) AS at') as Untyped)
      .withWatermark('at', '10 seconds')
      .groupBy(expr("session_window(at, '5 seconds')").as('s'), 'k')
      .agg(expr('count(*)').as('n'))
      .selectExpr('k', 'CAST(s.start AS LONG) AS s', 'CAST(s.end AS LONG) AS e', 'n')
    await testStream(query, [
      setPartitions(2),
      startStream(),
      addData(input, ...at(...keys.map((k) => [k, 20] as const))),
      checkNewAnswer(),
      partitionsAre(2),
      ...restartWith(5),
      // every even key's session grows, every key gets a second one
      addData(input, ...at(...keys.flatMap((k) => [[k, 27] as const, ...(k % 2 === 0 ? [[k, 23] as const] : [])]))),
      checkNewAnswer(),
      partitionsAre(5),
      ...restartWith(1),
      addData(input, ...at(...keys.filter((k) => k % 3 === 0).map((k) => [k, 31] as const))),
      checkNewAnswer(),
      ...restartWith(16),
      addData(input, ...at([-1, 100])),
      checkNewAnswer(
        ...keys.flatMap((k) => {
          const last = k % 3 === 0 ? 36n : 32n
          const more = k % 3 === 0 ? 1n : 0n
          return k % 2 === 0
            ? [[k, 20n, last, 3n + more]]
            : [
                [k, 20n, 25n, 1n],
                [k, 27n, last, 1n + more],
              ]
        }),
      ),
      partitionsAre(16),
    ])
  })

  test.each(['inner', 'left', 'right', 'full', 'semi'])('%s join', async (how) => {
    const [left, right] = [new MemoryStream(engine(), fields), new MemoryStream(engine(), fields)]
    const side = (input: typeof left, name: string) =>
      (input.toDF().selectExpr(`k AS ${name}K`, `timestamp_seconds(at) AS ${name}At`) as Untyped).withWatermark(`${name}At`, '10 seconds')
    const query = side(left, 'l')
      .join(side(right, 'r'), () => expr('lK = rK AND lAt BETWEEN rAt - INTERVAL 5 SECONDS AND rAt + INTERVAL 5 SECONDS'), how)
      .selectExpr('lK', 'CAST(lAt AS LONG) AS l', ...(how === 'semi' ? [] : ['rK', 'CAST(rAt AS LONG) AS r']))
    const pair = (k: number, l: bigint, r: bigint) => (how === 'semi' ? [k, l] : [k, l, k, r])
    const onlyLeft = how === 'left' || how === 'full' ? keys.filter((k) => k % 2 === 1).map((k) => [k, 20n, null, null]) : []
    const onlyRight = how === 'right' || how === 'full' ? keys.filter((k) => k % 2 === 0).map((k) => [null, null, k + 1000, 22n]) : []
    await testStream(query, [
      setPartitions(2),
      startStream(),
      addData(left, ...at(...keys.map((k) => [k, 20] as const))),
      checkNewAnswer(),
      ...restartWith(7),
      addData(right, ...at(...keys.filter((k) => k % 2 === 0).flatMap((k) => [[k, 22] as const, [k + 1000, 22] as const]))),
      checkNewAnswer(...keys.filter((k) => k % 2 === 0).map((k) => pair(k, 20n, 22n))),
      ...restartWith(3),
      // the right rows are found again, under another partition
      addData(left, ...at(...keys.filter((k) => k % 4 === 0).map((k) => [k, 24] as const))),
      checkNewAnswer(...keys.filter((k) => k % 4 === 0).map((k) => pair(k, 24n, 22n))),
      ...restartWith(16),
      addData(left, ...at([-1, 100])),
      addData(right, ...at([-2, 100])),
      checkNewAnswer(...onlyLeft, ...onlyRight),
      partitionsAre(16),
    ])
  })

  test('deduplication within the watermark', async () => {
    const input = new MemoryStream(engine(), fields)
    const query = (input.toDF().selectExpr('k', 'timestamp_seconds(at) AS at') as Untyped)
      .withWatermark('at', '10 seconds')
      .dropDuplicatesWithinWatermark(['k'])
      .select('k')
    await testStream(query, [
      setPartitions(2),
      startStream(),
      addData(input, ...at(...keys.map((k) => [k, 20] as const))),
      checkNewAnswer(...keys.map((k) => [k])),
      ...restartWith(9),
      addData(input, ...at(...keys.map((k) => [k, 21] as const), [77, 21])),
      checkNewAnswer([77]),
      ...restartWith(1),
      addData(input, ...at(...keys.map((k) => [k, 22] as const))),
      checkNewAnswer(),
    ])
  })
})
