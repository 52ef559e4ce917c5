import type { Files } from './files.ts'

/** Whether there is such a file or folder. False also where the path goes through a file. */
export async function isThere(files: Files, path: string): Promise<boolean> {
  try {
    return (await files.stat(path)) !== undefined
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOTDIR') return false
    throw error
  }
}
