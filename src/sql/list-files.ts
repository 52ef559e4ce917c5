/** The files of a bounded table: by path, pattern or folder, with the partition columns that the folders' names give. */
import { InvalidQueryError, UnavailableError } from '../base/errors.ts'
import type { FileEntry, Files } from '../base/files.ts'
import type { Schema } from '../data/schema.ts'
import { readSinkLog } from './sink-log.ts'
import type { InputFile } from './file-scan.ts'

export interface TableFiles {
  readonly files: readonly InputFile[]
  /** Columns of the schema that every file's path gives as `name=value`. */
  readonly partitions: readonly string[]
}

/** Lists what `paths` name, sorted by path. UnavailableError PATH_NOT_FOUND where a path names nothing. */
export async function listTableFiles(files: Files, paths: readonly string[]): Promise<InputFile[]> {
  const found = new Map<string, InputFile>()
  for (const path of paths) for (const file of await filesOf(files, plainPath(path))) found.set(file.path, file)
  return [...found.values()].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))
}

/** Which columns of the schema come from folders `name=value/` between the bases and the files: those that every file has. */
export function partitionsOf(found: readonly InputFile[], bases: readonly string[], schema: Schema): string[] {
  if (found.length === 0) return []
  const prefixes = bases.map((base) => plainPath(base).replace(/\/+$/, ''))
  let names: string[] | undefined
  for (const { path } of found) {
    const base = prefixes.find((prefix) => path.startsWith(`${prefix}/`)) ?? ''
    const own = folderNames(path.slice(base.length))
    names = names === undefined ? own : names.filter((name) => own.includes(name))
    if (names.length === 0) return []
  }
  return schema.names.filter((name) => names!.includes(name))
}
function folderNames(path: string): string[] {
  return path.split('/').slice(0, -1).flatMap((part) => (part.indexOf('=') > 0 ? [decode(part.slice(0, part.indexOf('=')))] : []))
}

/** `file:` URIs become paths. */
export function plainPath(path: string): string {
  if (!/^file:/i.test(path)) return path
  return decode(path.replace(/^file:(\/\/[^/]*)?/i, ''))
}
function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

async function filesOf(files: Files, path: string): Promise<InputFile[]> {
  const entry = await files.stat(path)
  if (entry) return entry.isDirectory ? filesOfFolder(files, path.replace(/(?<=.)\/+$/, '')) : [fileOf(entry)]
  if (!/[*?[{]/.test(path)) throw notFound(path)
  const matches = await expand(files, path)
  if (matches.length === 0) throw notFound(path)
  const found: InputFile[] = []
  for (const match of matches) found.push(...(match.isDirectory ? await filesOfFolder(files, match.path) : [fileOf(match)]))
  return found
}

/** A folder that a streaming query writes lists its files in a log: they alone count, whatever else a crash left there. */
async function filesOfFolder(files: Files, folder: string): Promise<InputFile[]> {
  const logged = await readSinkLog(files, folder)
  if (logged) return logged
  const found: InputFile[] = []
  for (const entry of await files.list(folder)) {
    if (isHidden(entry.name)) continue
    if (entry.isDirectory) found.push(...await filesOfFolder(files, entry.path))
    else found.push(fileOf(entry))
  }
  return found
}
/** As Spark has it: names that begin with `_` or `.` are not data, unless they are a partition's. */
function isHidden(name: string): boolean {
  return name.startsWith('.') || (name.startsWith('_') && !name.includes('=')) || name.endsWith('._COPYING_')
}
function fileOf({ path, sizeBytes }: FileEntry): InputFile {
  return { path, sizeBytes }
}

/** Expands a pattern part by part: `*`, `?`, `[ab]`, `[^ab]`, `{a,b}`. */
async function expand(files: Files, pattern: string): Promise<FileEntry[]> {
  const found: FileEntry[] = []
  for (const alternative of expandBraces(pattern)) {
    const parts = alternative.split('/').filter((part) => part !== '')
    let folders: string[] = ['']
    for (let i = 0; i < parts.length; i++) {
      const isLast = i === parts.length - 1
      const next: string[] = []
      for (const folder of folders) {
        if (!/[*?[]/.test(parts[i]!)) {
          const path = `${folder}/${parts[i]!}`
          if (!isLast) next.push(path)
          else {
            const entry = await files.stat(path)
            if (entry) found.push(entry)
          }
          continue
        }
        const matcher = matcherOf(parts[i]!)
        for (const entry of await files.list(folder || '/')) {
          if (!matcher.test(entry.name) || isHidden(entry.name)) continue
          if (isLast) found.push(entry)
          else if (entry.isDirectory) next.push(`${folder}/${entry.name}`)
        }
      }
      folders = next
    }
  }
  return found
}
function expandBraces(pattern: string): string[] {
  const match = /\{([^{}]*)\}/.exec(pattern)
  if (!match) return [pattern]
  return match[1]!.split(',').flatMap((choice) => expandBraces(pattern.slice(0, match.index) + choice + pattern.slice(match.index + match[0].length)))
}
function matcherOf(part: string): RegExp {
  const source = part.replace(/\*|\?|\[[^\]]*\]|[^*?[]+|\[/g, (token) => {
    if (token === '*') return '.*'
    if (token === '?') return '.'
    if (token.length > 1 && token.startsWith('[')) return `[${token.slice(1, -1).replace(/^!/, '^').replaceAll('\\', '\\\\')}]`
    return token.replace(/[.+^${}()|\\[\]]/g, '\\$&')
  })
  return new RegExp(`^${source}$`, 'su')
}

function notFound(path: string): UnavailableError | InvalidQueryError {
  return new InvalidQueryError('PATH_NOT_FOUND', { what: `${path} is not there`, todo: 'check the path; a pattern has to match a file' })
}
