/** JSON whose numbers keep their digits: a number of JavaScript would be another one beyond 2^53, or of more than 15 digits. */

/** `number` gets each number as it stands in the text. Throws SyntaxError. */
export function parseJsonExactly(text: string, number: (digits: string) => unknown): unknown {
  const revive = (_key: string, value: unknown, { source }: { source?: string } = {}) =>
    typeof value === 'number' ? number(source!) : value
  return JSON.parse(text, revive as (key: string, value: unknown) => unknown)
}

/** What JSON.stringify writes as it is: the text of a JSON number. */
export function rawNumber(text: string): unknown {
  return rawJSON(text)
}
// In Node since 21; not yet among TypeScript's types.
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown }
