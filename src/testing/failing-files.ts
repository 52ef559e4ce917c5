import type { Files } from '../base/files.ts'

/** The process is dead: this call and every later one rejects with it. */
export class FilesCrash extends Error {
  override readonly name = 'FilesCrash'
}

/** Files that die at the `at`th change (from 1), before or after it took place; from then on nothing works. `changes` counts them. */
export function failingFiles(files: Files, at: number, when: 'before' | 'after'): Files & { readonly changes: number } {
  let changes = 0
  let dead = false
  const check = () => {
    if (dead) throw new FilesCrash('the process has died')
  }
  const change = async <T>(run: () => Promise<T>): Promise<T> => {
    check()
    changes++
    if (changes === at && when === 'before') dead = true
    check()
    const result = await run()
    if (changes === at) dead = true
    check()
    return result
  }
  const look = async <T>(run: () => Promise<T>): Promise<T> => {
    check()
    return run()
  }
  return {
    get changes() {
      return changes
    },
    read: (path) => look(() => files.read(path)),
    list: (folder) => look(() => files.list(folder)),
    stat: (path) => look(() => files.stat(path)),
    createExclusive: (path, content) => change(() => files.createExclusive(path, content)),
    async stage(path, content) {
      const staged = await change(() => files.stage(path, content))
      return { publish: () => change(() => staged.publish()), drop: () => (dead ? Promise.resolve() : staged.drop()) }
    },
    create: (path, content) => change(() => files.create(path, content)),
    replace: (path, content) => change(() => files.replace(path, content)),
    makeFolder: (path) => change(() => files.makeFolder(path)),
    sync: (paths) => change(() => files.sync(paths)),
    delete: (path) => change(() => files.delete(path)),
    move: (from, to) => change(() => files.move(from, to)),
  }
}
