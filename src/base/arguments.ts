/** What a program gave as a name or a text. The compiler has checked it in TypeScript; plain JavaScript may give anything. */
import { InvalidQueryError } from './errors.ts'

/** `what`: `the format`. InvalidQueryError NOT_A_TEXT. */
export function textOf(what: string, value: unknown, todo: string): string {
  if (typeof value === 'string') return value
  throw new InvalidQueryError('NOT_A_TEXT', { what: `${what} is ${shownArgument(value)}, and has to be text`, todo })
}

/** Names of columns, as a list. InvalidQueryError NOT_A_TEXT. */
export function namesOf(method: string, value: unknown, todo: string): readonly string[] {
  if (Array.isArray(value)) return value.map((name) => textOf(`a column of ${method}`, name, todo))
  throw new InvalidQueryError('NOT_A_TEXT', { what: `${method} was given ${shownArgument(value)}, and takes a list of names`, todo })
}

/** An object of settings, none of which is unknown. InvalidQueryError NOT_AN_OBJECT. */
export function settingsOf<T extends object>(what: string, value: T, todo: string): T {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw new InvalidQueryError('NOT_AN_OBJECT', { what: `${what} is ${shownArgument(value)}, and has to be an object`, todo })
}

/** Short, whatever it is. */
export function shownArgument(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 80))
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object' && value !== null) return 'an object'
  return typeof value === 'function' ? 'a function' : String(value)
}
