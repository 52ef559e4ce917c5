import { InternalError, InvalidQueryError, MillraceError, UnavailableError } from '../base/errors.ts'

/** Whatever broke a query, as an error that says what to do. */
export function asMillraceError(error: unknown): MillraceError {
  if (error instanceof MillraceError) return error
  const system = fileSystemError(error)
  if (system) return system
  const text = error instanceof Error ? error.message : String(error)
  return new InternalError('INTERNAL_ERROR', { what: text, todo: 'report this with the query and its checkpoint folder', cause: error })
}

/** `work`, with what the system says of files as UnavailableError FILE_SYSTEM_ERROR, or InvalidQueryError FILE_NAME_TOO_LONG; other errors are as they were. */
export async function withFileErrors<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw fileSystemError(error) ?? error
  }
}

function fileSystemError(error: unknown): MillraceError | undefined {
  const { syscall, code, path } = (error ?? {}) as NodeJS.ErrnoException
  if (!(error instanceof Error) || error instanceof MillraceError || typeof syscall !== 'string' || typeof code !== 'string')
    return undefined
  // starting again would only fail again
  if (code === 'ENAMETOOLONG') {
    return new InvalidQueryError('FILE_NAME_TOO_LONG', {
      what: `the path ${path ?? ''} has a name that is longer than the file system takes (${syscall}, ${code})`,
      todo: 'shorten the path, or partition by a column with shorter names and values',
      cause: error,
    })
  }
  return new UnavailableError('FILE_SYSTEM_ERROR', {
    what: `${syscall} failed with ${code}${path ? ` on ${path}` : ''}`,
    todo: todoOf(code),
    cause: error,
  })
}

function todoOf(code: string): string {
  if (code === 'ENOSPC' || code === 'EDQUOT') return 'make room on the disk and start the query again: it goes on where it stood'
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
    return 'give this user the right to read and write there, then start the query again'
  if (code === 'EMFILE' || code === 'ENFILE') return 'raise the limit of open files, then start the query again'
  if (code === 'ENOTDIR') return 'name another folder: a part of this path is a file'
  return 'mend the disk or the path, then start the query again: it goes on where it stood'
}
