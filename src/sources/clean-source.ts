import { join, sep } from 'node:path'
import { InvalidQueryError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import { matchesName } from '../base/glob.ts'
import type { Options } from '../base/options.ts'
import { absolutePath } from '../data/file-uri.ts'

/** What becomes of a file whose batch is committed. */
export type Cleaning = { readonly kind: 'off' } | { readonly kind: 'delete' } | { readonly kind: 'archive'; readonly folder: string }

/** The options cleanSource and sourceArchiveDir. `path` is what the source reads: an archived file must never be found again. */
export function cleaningOf(options: Options, path: string): Cleaning {
  const mode = (options.text('cleanSource') ?? 'off').toLowerCase()
  const archive = options.text('sourceArchiveDir')
  if (mode === 'off' || mode === 'delete') return { kind: mode }
  if (mode !== 'archive') {
    throw new InvalidQueryError('INVALID_OPTION_VALUE', {
      what: `cleanSource = ${JSON.stringify(options.text('cleanSource'))} is no way to clean up`,
      todo: 'use archive, delete or off',
    })
  }
  if (archive === undefined || archive === '') {
    throw new InvalidQueryError('MISSING_OPTION', {
      what: 'cleanSource = archive was set without a folder to archive into',
      todo: "set it: option('sourceArchiveDir', folder), outside of what the source reads",
    })
  }
  const folder = absolutePath(archive)
  if (overlaps(folder, path)) {
    throw new InvalidQueryError('SOURCE_ARCHIVE_DIR_OVERLAPS', {
      what: `the archive ${folder} may hold what the source path ${path} reads: archived files could be found again`,
      todo: 'archive into a folder beside the source, neither below nor above it',
    })
  }
  return { kind: 'archive', folder }
}

/** Spark's rule: the two paths match as deep as the shorter one goes. */
function overlaps(archive: string, source: string): boolean {
  const [a, s] = [stepsOf(archive), stepsOf(source)]
  const depth = Math.min(a.length, s.length)
  return a.slice(0, depth).every((name, i) => name === s[i] || matchesName(name, s[i]!))
}
function stepsOf(path: string): string[] {
  return path.split(sep).filter((step) => step !== '')
}

/** What cleaning has done in this run, for progress. */
export interface CleaningCounts {
  cleaned: number
  failed: number
}

/** Moves or deletes files; one that is gone already is done. A file that can't be moved (its place is taken, another file system) stays, and is counted. */
export async function cleanFiles(cleaning: Cleaning, paths: readonly string[], files: Files, counts: CleaningCounts): Promise<void> {
  for (const path of paths) {
    try {
      if (cleaning.kind === 'delete') {
        await files.delete(path)
        counts.cleaned++
      } else if (cleaning.kind === 'archive' && (await files.stat(path)) !== undefined) {
        // the whole path below the archive, so that files of one name in two folders keep apart
        if (await files.move(path, join(cleaning.folder, path))) counts.cleaned++
        else counts.failed++
      }
    } catch {
      // what was read is committed: a file that stays is no reason to stop
      counts.failed++
    }
  }
}
