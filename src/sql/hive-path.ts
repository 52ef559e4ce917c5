import { escapePattern } from '../base/escape-pattern.ts'

/** How Hive, and Spark after it, write a value into the name of a folder `name=value`. */

/** Stands for null, and for the empty string, which could name no folder. */
export const hiveNull = '__HIVE_DEFAULT_PARTITION__'

/** The name of a folder of a partition. A text that is what stands for null is escaped, so that it comes back as itself: Hive and Spark look for that name before they take escapes out. */
export function partitionFolder(name: string, value: string | null | undefined): string {
  if (value === null || value === undefined) return `${escapePart(name)}=${hiveNull}`
  return `${escapePart(name)}=${value === hiveNull ? `%5F${value.slice(1)}` : escapePart(value)}`
}

/** Escapes control characters and those that mean something in a path or pattern. */
export function escapePart(text: string): string {
  return text.replace(
    /[\u0000-\u001f"#%'*/:=?\\\u007f{[\]^]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  )
}

/** The regular expression (of RE2) that finds a value in the path of a file. */
export function folderPattern(name: string, value: string): string {
  return `/${escapePattern(escapePart(name))}=(${value})/`
}
