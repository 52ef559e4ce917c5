import { MemoryStream, millrace, t } from 'millrace'
import { addData, checkAnswer, testStream } from 'millrace/testing'
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
