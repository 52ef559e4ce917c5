import { InternalError } from './errors.ts'
import type { Files } from './files.ts'

/** The same files for somebody who only looks: syncs do nothing, and a write is refused. */
export function readOnlyFiles(files: Files): Files {
  const refuse = (path: string): Promise<never> =>
    Promise.reject(
      new InternalError('INTERNAL_ERROR', {
        what: `${path} was about to be written by a command that only reads`,
        todo: 'report this as a defect of Millrace',
      }),
    )
  return {
    read: (path) => files.read(path),
    list: (folder) => files.list(folder),
    ...(files.names && { names: (folder: string) => files.names!(folder) }),
    stat: (path) => files.stat(path),
    createExclusive: refuse,
    stage: refuse,
    create: refuse,
    replace: refuse,
    makeFolder: refuse,
    sync: async () => {},
    delete: refuse,
    move: refuse,
  }
}
