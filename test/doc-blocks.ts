import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'

/** A fenced block of code in a document. */
export interface DocBlock {
  /** Relative to the repository. */
  readonly document: string
  /** Line of its opening fence, from 1. */
  readonly line: number
  readonly language: 'ts' | 'js'
  /** It runs as it stands, in an empty folder. */
  readonly runs: boolean
  /** With the text of the blocks that it continues. */
  readonly code: string
}

/**
 * The blocks of TypeScript and JavaScript in README.md, CONTRIBUTING.md and docs/. The words after the language say how a block is meant:
 * `run`: a whole program, run by the test; `continued`: goes on where the last block of the document ended. Without either it is a module
 * that only has to compile.
 */
export function docBlocks(root: string): DocBlock[] {
  const docs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(root, 'docs', name))
  return [join(root, 'README.md'), join(root, 'CONTRIBUTING.md'), ...docs].flatMap((file) =>
    blocksOf(relative(root, file), readFileSync(file, 'utf8')),
  )
}

export function blocksOf(document: string, text: string): DocBlock[] {
  const blocks: DocBlock[] = []
  for (const match of text.matchAll(/^```(ts|js)\b([^\n]*)\n(.*?)^```$/gms)) {
    const words = match[2]!.trim().split(/\s+/).filter(Boolean)
    const line = text.slice(0, match.index).split('\n').length
    const unknown = words.find((word) => word !== 'run' && word !== 'continued')
    if (unknown) throw new Error(`${document}:${line}: a block of code is marked "${unknown}", which means nothing here`)
    const before = words.includes('continued') ? blocks.at(-1) : undefined
    if (words.includes('continued') && !before) throw new Error(`${document}:${line}: there is no block before it that it could continue`)
    blocks.push({
      document,
      line,
      language: match[1] as 'ts' | 'js',
      runs: words.includes('run'),
      code: `${before?.code ?? ''}${match[3]}`,
    })
  }
  return blocks
}
