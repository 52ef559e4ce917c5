const nullFolder = '__HIVE_DEFAULT_PARTITION__'

/** The values in the folders of a file's path, as the log has them. */
export function partitionValuesOf(path: string, columns: readonly string[]): Record<string, string | null> {
  const values: Record<string, string | null> = {}
  const folders = path.split('/').slice(0, -1)
  for (const [i, column] of columns.entries()) {
    const folder = folders[i]!
    const value = folder.slice(folder.indexOf('=') + 1)
    // before escapes are taken out: a text that is this name has one
    values[column] = value === nullFolder ? null : unescapeName(value)
  }
  return values
}
/** Hive escapes what a folder's name can't hold. */
function unescapeName(text: string): string {
  return text.replaceAll(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}
