import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { openRuns, type ProcessRecord, systemProcess } from './process-identity.ts'

const me = systemProcess()
const { host, pid, bootId, processStart, threadId }: ProcessRecord = me
const record: ProcessRecord = { host, pid, bootId, processStart, threadId }
const onLinux = process.platform === 'linux'

test.runIf(onLinux)('this process knows its boot and its start', () => {
  expect(bootId).toMatch(/^[0-9a-f-]{36} pid:\[\d+\]$/)
  expect(processStart).toMatch(/^\d+$/)
  expect(pid).toBe(process.pid)
})
test.runIf(onLinux)("of its own runs this process knows which are open; of another thread's it can't tell", () => {
  openRuns.add('open')
  try {
    expect(me.isAlive(record, 'open')).toBe(true)
    expect(me.isAlive(record, 'closed')).toBe(false)
    expect(me.isAlive({ ...record, threadId: threadId + 1 }, 'closed')).toBeUndefined()
  } finally {
    openRuns.delete('open')
  }
})
test.runIf(onLinux)('another process of this boot lives until it ends; its pid alone proves nothing', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
  const { readFileSync } = await import('node:fs')
  const stat = readFileSync(`/proc/${child.pid}/stat`, 'latin1')
  const other: ProcessRecord = { ...record, pid: child.pid!, processStart: stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]! }
  expect(me.isAlive(other, 'x')).toBe(true)
  child.kill('SIGSTOP')
  expect(me.isAlive(other, 'x')).toBe(true)
  expect(me.isAlive({ ...other, processStart: '1' }, 'x')).toBe(false)
  expect(me.isAlive({ ...other, processStart: '' }, 'x')).toBeUndefined()
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(me.isAlive(other, 'x')).toBe(false)
})
test("of another boot, machine or container it can't tell", () => {
  expect(me.isAlive({ ...record, bootId: 'another' }, 'x')).toBeUndefined()
  expect(me.isAlive({ ...record, bootId: '' }, 'x')).toBeUndefined()
})
