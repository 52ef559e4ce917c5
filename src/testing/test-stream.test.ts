import { count, MemoryStream, millrace, t } from 'millrace'
import { addData, checkAnswer, checkLastBatch, checkNewAnswer, testStream } from 'millrace/testing'
import { expect, test } from 'vitest'

test('a query that fails while a check waits fails the check, and leaves no promise behind that nobody looks at', async () => {
  const engine = await millrace.local()
  const unseen: unknown[] = []
  const listen = (reason: unknown) => unseen.push(reason)
  const others = process.listeners('unhandledRejection')
  process.removeAllListeners('unhandledRejection').on('unhandledRejection', listen)
  try {
    const input = new MemoryStream(engine, { n: t.int() })
    const divided = input.toDF().selectExpr('1 / n AS part')
    await expect(testStream(divided, [addData(input, { n: 0 }), checkAnswer()])).rejects.toThrow('action 2 (checkAnswer): DIVIDE_BY_ZERO')
    await new Promise((resolve) => setImmediate(resolve))
  } finally {
    process.off('unhandledRejection', listen)
    for (const other of others) process.on('unhandledRejection', other)
    await engine.close()
  }
  expect(unseen).toEqual([])
})

test('checkNewAnswer counts batches, as in Spark: in complete mode it sees the whole table, and checkLastBatch was a look too', async () => {
  const engine = await millrace.local()
  try {
    const input = new MemoryStream(engine, { n: t.int() })
    const counts = input
      .toDF()
      .groupBy('n')
      .agg(() => ({ count: count() }))
    await testStream(counts, { outputMode: 'complete' }, [
      addData(input, { n: 1 }),
      checkNewAnswer([1, 1n]),
      addData(input, { n: 2 }),
      checkNewAnswer([1, 1n], [2, 1n]),
      addData(input, { n: 2 }),
      checkLastBatch([1, 1n], [2, 2n]),
      checkNewAnswer(),
    ])
  } finally {
    await engine.close()
  }
})
