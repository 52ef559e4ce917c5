import type { Files } from '../base/files.ts'

const looks = new Set<PropertyKey>(['read', 'list', 'names', 'stat'])

/**
 * Files on a disk that fails: while `failure()` gives a code, every change is refused with the system's error of that code (ENOSPC: full, EIO: broken, …).
 * What was there can still be read.
 */
export function faultyFiles(files: Files, failure: () => string | null): Files {
  return new Proxy(files, {
    get(target, name) {
      const member = Reflect.get(target, name) as unknown
      if (typeof member !== 'function') return member
      if (looks.has(name)) return member.bind(target)
      return async (...args: unknown[]) => {
        const code = failure()
        if (code === null) return member.apply(target, args)
        const path = typeof args[0] === 'string' ? args[0] : String((args[0] as readonly string[] | undefined)?.[0])
        throw Object.assign(new Error(`${code}: ${String(name)} '${path}'`), { code, syscall: String(name), path })
      }
    },
  })
}
