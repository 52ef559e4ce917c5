import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readOptions, tableOptions, writeOptions } from '../src/data/file-options.ts'
import { blocksOf, type DocBlock, docBlocks } from './doc-blocks.ts'

const root = resolve(import.meta.dirname, '..')
// Inside the repository, where `import … from 'millrace'` finds the source.
const folder = join(root, 'out', `docs-${process.pid}`)
const blocks = docBlocks(root)
const fileOf = (block: DocBlock) => `${block.document.replaceAll(/[^\w]+/g, '-')}-${block.line}.${block.language === 'ts' ? 'mts' : 'mjs'}`

beforeAll(() => {
  mkdirSync(folder, { recursive: true })
  for (const block of blocks) writeFileSync(join(folder, fileOf(block)), `${block.code}\nexport {}\n`)
  const settings = { extends: '../../tsconfig.json', include: ['*.mts', '*.mjs'], compilerOptions: { allowJs: true, checkJs: true } }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(settings))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('code in the documents', () => {
  test('compiles', () => {
    const tsc = spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder, '--pretty', 'false'], {
      encoding: 'utf8',
    })
    expect(inDocuments(tsc.stdout)).toBe('')
    expect(tsc.status).toBe(0)
  })

  test('the README has a program that runs', () => {
    expect(blocks.some((block) => block.document === 'README.md' && block.runs)).toBe(true)
  })

  test.each(blocks.filter((block) => block.runs))('$document, line $line, runs', (block) => {
    const cwd = mkdtempSync(join(tmpdir(), 'millrace-docs-'))
    try {
      const run = spawnSync(process.execPath, ['--conditions=millrace-source', join(folder, fileOf(block))], {
        cwd,
        encoding: 'utf8',
        timeout: 60_000,
      })
      expect(`${run.stderr}${run.error ?? ''}`).toBe('')
      expect(run.status).toBe(0)
      expect(run.stdout.trim()).not.toBe('')
    } finally {
      rmSync(cwd, { recursive: true, force: true })
    }
  })

  /** Errors of the compiler name the extracted files; people look for the document. */
  function inDocuments(errors: string): string {
    return blocks.reduce(
      (text, block) =>
        text.replaceAll(new RegExp(`^.*${fileOf(block)}\\((\\d+)`, 'gm'), `${block.document} (block at ${block.line}, its line $1`),
      errors,
    )
  }
})

describe('links in the documents', () => {
  const documents = [...new Set(['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', ...blocks.map((block) => block.document)])]
  test.each(documents)('%s names only files that exist', (document) => {
    const text = readFileSync(join(root, document), 'utf8')
    const targets = [...text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map((match) => match[1]!)
    const missing = targets.filter((target) => !exists(resolve(root, dirname(document), target)))
    expect(missing).toEqual([])
  })
})

test('blocks are found with their marks, and an unknown mark is an error', () => {
  const text = '```ts run\na()\n```\n\n```ts continued\nb()\n```\n```sh\nls\n```\n'
  expect(blocksOf('x.md', text)).toEqual([
    { document: 'x.md', line: 1, language: 'ts', runs: true, code: 'a()\n' },
    { document: 'x.md', line: 5, language: 'ts', runs: false, code: 'a()\nb()\n' },
  ])
  expect(() => blocksOf('x.md', '```ts maybe\n```\n')).toThrow('"maybe"')
})

function exists(path: string): boolean {
  try {
    readFileSync(path)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EISDIR'
  }
}

test('docs/files.md names every option of the file formats', () => {
  const page = readFileSync(join(root, 'docs/files.md'), 'utf8')
  const names = new Set([...Object.values(readOptions), ...Object.values(writeOptions), tableOptions].flat())
  expect([...names].filter((name) => !page.includes(`\`${name}\``))).toEqual([])
})
