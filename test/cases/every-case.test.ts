// Every case of the acceptance cases has a test that bears its name. The list lies beside the repository; without it there is nothing to compare.
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')
const list = ['../shared', '../../shared'].map((folder) => join(root, folder, 'spec/cases.md')).find((path) => existsSync(path))

test.skipIf(list === undefined)('by name', async () => {
  const ids = [...(await readFile(list!, 'utf8')).matchAll(/^\| ([A-L]\d+) \|/gm)].map(([, id]) => id!)
  expect(ids.length).toBeGreaterThan(40)
  const files = [...(await testFiles('test')), ...(await testFiles('src'))]
  const named = (await Promise.all(files.map((path) => readFile(path, 'utf8')))).flatMap(namesOfTests)
  const missing = ids.filter((id) => !named.some((name) => new RegExp(`\\b${id}\\b`).test(name)))
  expect(missing).toEqual([])
})

async function testFiles(folder: string): Promise<string[]> {
  const entries = await readdir(join(root, folder), { recursive: true })
  return entries.filter((name) => name.endsWith('.test.ts')).map((name) => join(root, folder, name))
}
/** Names as they are written, of tests and of what groups them. */
function namesOfTests(source: string): string[] {
  return [...source.matchAll(/\b(?:test|describe|inModes)(?:\.\w+)*(?:\([^\n]*\))?\((['"`])(.*?)\1/g)].map(([, , name]) => name!)
}
