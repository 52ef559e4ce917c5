import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { endWith } from './end-with.ts'

test('a server ends with its owner, however that ends, and not before', async () => {
  const owner = spawn('sleep', ['600'])
  const server = spawn('sleep', ['600'])
  const ended = once(server, 'exit')
  endWith(owner.pid!, server.pid!)
  expect(server.exitCode).toBeNull()
  owner.kill('SIGKILL')
  expect((await ended)[1]).toBe('SIGKILL')
})
