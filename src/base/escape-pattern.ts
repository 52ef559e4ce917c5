/** A text as a regular expression that matches it, for RE2 as for JavaScript. */
export function escapePattern(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}
