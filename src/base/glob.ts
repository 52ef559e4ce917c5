import { basename, join, matchesGlob, parse, sep } from 'node:path'
import type { FileEntry, Files } from './files.ts'

type NameTest = (name: string) => boolean

/** Whether a path is a pattern: `*`, `?`, `[…]` or `{…}` in it, or a `\\` that takes the meaning from the character after it. */
export function isGlob(path: string): boolean {
  return /[*?[{\\]/.test(path)
}
function hasWildcard(step: string): boolean {
  return /[*?[{]/.test(step.replace(/\\./gs, ''))
}
function unescaped(step: string): string {
  return step.replace(/\\(.)/gs, '$1')
}

/**
 * The files and folders that a path pattern names, through `files`, so that it works wherever they are. `*`, `?` and `[…]` stay within one
 * folder, as in Hadoop; `{a,b}` may span folders. A wildcard passes over the names that `isSkipped` says.
 */
export async function expandGlob(pattern: string, files: Files, isSkipped: NameTest = () => false): Promise<FileEntry[]> {
  const found = new Map<string, FileEntry>()
  for (const one of expandBraces(pattern)) {
    for (const entry of await expandOne(one, files, isSkipped)) found.set(entry.path, entry)
  }
  return [...found.values()]
}

async function expandOne(pattern: string, files: Files, isSkipped: NameTest): Promise<FileEntry[]> {
  if (!hasWildcard(pattern)) {
    const path = unescaped(pattern)
    const entry = await files.stat(path)
    return entry ? [{ ...entry, path, name: basename(path) }] : []
  }
  const { root } = parse(pattern)
  const steps = pattern
    .slice(root.length)
    .split(sep)
    .filter((step) => step !== '')
  const fixed = steps.findIndex(hasWildcard)
  let folders = [join(root, ...steps.slice(0, fixed).map(unescaped))]
  for (const [i, step] of steps.slice(fixed).entries()) {
    const isLast = fixed + i === steps.length - 1
    const lists = await Promise.all(folders.map((folder) => matching(folder, step, files, isSkipped)))
    if (isLast) return lists.flat()
    folders = lists
      .flat()
      .filter((entry) => entry.isDirectory)
      .map((entry) => entry.path)
  }
  return []
}

async function matching(folder: string, step: string, files: Files, isSkipped: NameTest): Promise<FileEntry[]> {
  if (hasWildcard(step)) return (await files.list(folder)).filter(({ name }) => matchesName(name, step) && !isSkipped(name))
  const entry = await files.stat(join(folder, unescaped(step)))
  return entry ? [entry] : []
}

/** Whether a name without folders matches a pattern. A leading dot is no special case, as in Hadoop. */
export function matchesName(name: string, pattern: string): boolean {
  return expandBraces(pattern).some((one) => matchesGlob(`_${name}`, `_${one.replaceAll('[^', '[!')}`))
}

/** `a{b,c{d,e}}` → `ab`, `acd`, `ace`. A brace that is not closed stands for itself. */
export function expandBraces(pattern: string): string[] {
  const open = pattern.search(/(?<!\\)\{/)
  if (open < 0) return [pattern]
  const parts: string[] = []
  let depth = 0
  let start = open + 1
  for (let i = open; i < pattern.length; i++) {
    const char = pattern[i]
    if (char === '{') depth++
    if (char === '}') depth--
    if ((char === ',' && depth === 1) || (char === '}' && depth === 0)) {
      parts.push(pattern.slice(start, i))
      start = i + 1
    }
    if (depth === 0) return parts.flatMap((part) => expandBraces(pattern.slice(0, open) + part + pattern.slice(i + 1)))
  }
  return [pattern]
}
