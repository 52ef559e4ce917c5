import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'

/** A folder for each test, removed after it. */
export function tempFolders(): () => string {
  let current: string | undefined
  afterEach(() => {
    if (current !== undefined) rmSync(current, { recursive: true, force: true })
    current = undefined
  })
  return () => (current ??= mkdtempSync(join(tmpdir(), 'millrace-sinks-')))
}
