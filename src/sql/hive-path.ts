/** How Hive, and Spark after it, write a value into the name of a folder `name=value`. */

/** Stands for null, and for the empty string, which could name no folder. */
export const hiveNull = '__HIVE_DEFAULT_PARTITION__'

/** Escapes control characters and those that mean something in a path or pattern. */
export function escapePart(text: string): string {
  return text.replace(
    /[\u0000-\u001f"#%'*/:=?\\\u007f{[\]^]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  )
}
