import { expect, test } from 'vitest'
import { Schema } from '../data/schema.ts'
import { readBounded } from './bounded.ts'

test('a schema that the user gave is refused, before any broker is asked', async () => {
  const schema = new Schema([{ name: 'page', type: 'string', nullable: true }])
  const given = { 'kafka.bootstrap.servers': '127.0.0.1:1', subscribe: 'clicks' }
  await expect(readBounded(given, { columns: new Set([0]), schema })).rejects.toMatchObject({ code: 'UNSUPPORTED_USER_SPECIFIED_SCHEMA' })
})
