import { resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** An absolute path as the URI that Spark writes into its logs: `file:///in/a%20b.json`. */
export function pathToUri(path: string): string {
  // java.net.URI refuses these where Node's URL lets them stand
  return pathToFileURL(path).href.replace(/[[\]|^]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
}

/** The path of such a URI; a text without a scheme is a path already. */
export function uriToPath(uri: string): string {
  return uri.startsWith('file:') ? fileURLToPath(uri) : uri
}

/** A user's `path` option (relative, absolute or a file URI) as an absolute path. Glob characters stay. */
export function absolutePath(path: string): string {
  return resolve(uriToPath(path))
}
