import { bytesOf, durationMsOf } from '../../base/quantities.ts'

/** What a key takes: the canonical spelling of a value, or undefined where the value is none of its. */
export interface ValueKind {
  readonly read: (value: string) => string | undefined
  readonly expected: string
  /** Which of Spark's INVALID_CONF_VALUE classes a wrong value has. */
  readonly problemOf: (value: string) => 'TYPE_MISMATCH' | 'REQUIREMENT' | 'TIME_ZONE'
}

/** A key that the engine reads. */
export interface WorkingKey extends ValueKind {
  readonly kind: 'works'
  readonly default: string
  /** The default in words, where it depends on the machine. */
  readonly defaultText?: string
  readonly meaning: string
  /** `engine`: only when the engine is made. `query`: at any time, and for one query as an option; a query keeps what stood when it started. */
  readonly scope: 'engine' | 'query'
  /** The checkpoint keeps the value that it began with. */
  readonly isPinned?: true
}
/** A key of Spark that stands for one behaviour here: that value is taken, any other is refused. */
export interface FixedKey {
  readonly kind: 'fixed'
  readonly default: string
  readonly values: readonly string[]
  /** Why no other value, and what to do in its place. */
  readonly reason: string
}
/** Keys of Spark that are taken, with a notice, and change nothing. */
export interface IdleKey {
  readonly kind: 'idle'
  readonly reason: string
  /** Spark refuses to change it while the application runs. */
  readonly isStatic?: true
}
/** Keys of Spark that are refused at any value. */
export interface RefusedKey {
  readonly kind: 'refused'
  readonly reason: string
}
export type ConfRule = WorkingKey | FixedKey | IdleKey | RefusedKey
/** Rules by key, or by the beginning of keys, which then ends in `*`. A whole key goes before a beginning, a longer beginning before a shorter. */
export type ConfTable = Readonly<Record<string, ConfRule>>

const takes = (expected: string, read: ValueKind['read'], problemOf: ValueKind['problemOf'] = () => 'TYPE_MISMATCH'): ValueKind => ({
  expected,
  read,
  problemOf,
})
const lower = (value: string) => value.trim().toLowerCase()

export const flag = takes('true or false', (value) => (['true', 'false'].includes(lower(value)) ? lower(value) : undefined))
export const wholeNumber = (min: number, max = Number.MAX_SAFE_INTEGER) =>
  takes(
    max === Number.MAX_SAFE_INTEGER ? `a whole number from ${min} up` : `a whole number from ${min} to ${max}`,
    (value) => (isWhole(value) && Number(value) >= min && Number(value) <= max ? String(Number(value)) : undefined),
    (value) => (isWhole(value) ? 'REQUIREMENT' : 'TYPE_MISMATCH'),
  )
/** A part of a whole. */
export const ratio = takes(
  'a number from 0 to 1',
  (value) => (isNumber(value) && Number(value) >= 0 && Number(value) <= 1 ? String(Number(value)) : undefined),
  (value) => (isNumber(value) ? 'REQUIREMENT' : 'TYPE_MISMATCH'),
)
const isNumber = (value: string) => value.trim() !== '' && Number.isFinite(Number(value))
const isWhole = (value: string) => /^\s*-?\d+\s*$/.test(value)
export const duration = takes('a duration such as 500ms, 10s, 1min', (value) =>
  durationMsOf(value) === undefined ? undefined : value.trim(),
)
export const bytes = takes('a size such as 512m or 2g', (value) => (bytesOf(value) === undefined ? undefined : value.trim()))
/** JSON of an object whose values are plain. */
export const jsonObject = takes('a JSON object such as {"region": "eu"}', (value) => {
  try {
    const object: unknown = JSON.parse(value)
    const isPlain = (each: unknown) => ['string', 'number', 'boolean'].includes(typeof each)
    return typeof object === 'object' && object !== null && !Array.isArray(object) && Object.values(object).every(isPlain)
      ? value.trim()
      : undefined
  } catch {
    return undefined
  }
})
export const text = takes('text', (value) => value)
/** One of some words, in any case. */
export const oneOf = (...values: string[]) =>
  takes(
    values.join(' or '),
    (value) => values.find((each) => lower(each) === lower(value)),
    () => 'REQUIREMENT',
  )
/** A value of another kind, or nothing at all. */
export const optional = (kind: ValueKind): ValueKind => ({
  ...kind,
  expected: `${kind.expected}, or nothing`,
  read: (value) => (value.trim() === '' ? '' : kind.read(value)),
})

export const works = (
  kind: ValueKind,
  { scope = 'query', ...rest }: Pick<WorkingKey, 'default' | 'defaultText' | 'meaning' | 'isPinned'> & Partial<Pick<WorkingKey, 'scope'>>,
): WorkingKey => ({ kind: 'works', scope, ...kind, ...rest })
export const fixed = (value: string | readonly string[], reason: string): FixedKey => {
  const values = typeof value === 'string' ? [value] : value
  return { kind: 'fixed', default: values[0]!, values, reason }
}
export const idle = (reason: string): IdleKey => ({ kind: 'idle', reason })
/** One that Spark refuses to change while the application runs. */
export const idleStatic = (reason: string): IdleKey => ({ kind: 'idle', reason, isStatic: true })
export const refused = (reason: string): RefusedKey => ({ kind: 'refused', reason })
