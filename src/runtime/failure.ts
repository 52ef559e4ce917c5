import { InternalError, MillraceError, UnavailableError } from '../base/errors.ts'

/** Whatever broke a query, as an error that says what to do. */
export function asMillraceError(error: unknown): MillraceError {
  if (error instanceof MillraceError) return error
  const system = error as NodeJS.ErrnoException
  if (error instanceof Error && typeof system.syscall === 'string' && typeof system.code === 'string') {
    return new UnavailableError('FILE_SYSTEM_ERROR', {
      what: `${system.syscall} failed with ${system.code}${system.path ? ` on ${system.path}` : ''}`,
      todo: todoOf(system.code),
      cause: error,
    })
  }
  const text = error instanceof Error ? error.message : String(error)
  return new InternalError('INTERNAL_ERROR', { what: text, todo: 'report this with the query and its checkpoint folder', cause: error })
}

function todoOf(code: string): string {
  if (code === 'ENOSPC' || code === 'EDQUOT') return 'make room on the disk and start the query again: it goes on where it stood'
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
    return 'give this user the right to read and write there, then start the query again'
  if (code === 'EMFILE' || code === 'ENFILE') return 'raise the limit of open files, then start the query again'
  return 'mend the disk or the path, then start the query again: it goes on where it stood'
}
