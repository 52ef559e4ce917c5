import { InvalidQueryError } from '../base/errors.ts'
import { bytesOf, durationMsOf } from '../base/quantities.ts'
import { nearest } from '../base/suggest.ts'
import type { ConfRule } from './conf-keys/conf-key.ts'
import { namedKeys, ruleOf } from './conf-keys/rules.ts'

export type ConfValues = Readonly<Record<string, string | number | boolean>>

/** Checked configuration, which never changes: of an engine, or of one query. */
export class Conf {
  readonly #values: ReadonlyMap<string, string>
  /** InvalidQueryError for a key that does not exist (with the nearest known) and for a value that the key does not take. */
  constructor(given: ConfValues, base?: Conf) {
    const own = Object.entries(given).map(([key, value]) => [key, checked(key, String(value))] as const)
    this.#values = new Map([...(base ? base.#values : []), ...own])
  }
  /** What was set. */
  get values(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#values)
  }
  /** The value or its default; undefined for a key that has neither. */
  get(key: string): string | undefined {
    const rule = ruleOf(key)
    return this.#values.get(key) ?? (rule?.kind === 'works' || rule?.kind === 'fixed' ? rule.default : undefined)
  }
  text(key: string): string {
    return this.get(key)!
  }
  number(key: string): number {
    return Number(this.text(key))
  }
  flag(key: string): boolean {
    return this.text(key) === 'true'
  }
  durationMs(key: string): number {
    return durationMsOf(this.text(key))!
  }
  /** Undefined where the key is empty. */
  bytes(key: string): number | undefined {
    return bytesOf(this.text(key))
  }
  /** The configuration with some keys set otherwise. */
  with(given: ConfValues): Conf {
    return new Conf(given, this)
  }
  without(key: string): Conf {
    const { [key]: _, ...rest } = this.values
    return new Conf(rest)
  }
}

/** InvalidQueryError unless one query may have its own value for the key. */
export function checkQueryKey(key: string): void {
  const rule = existingRule(key)
  if (rule.kind !== 'works' || rule.scope === 'query') return
  throw new InvalidQueryError('CANNOT_MODIFY_CONFIG', {
    what: `"${key}" was given as an option of one query, and it holds for the whole engine`,
    todo: `set it where the engine is made: millrace.local({ conf: { '${key}': … } })`,
  })
}

/** The rule of a key, or SQL_CONF_NOT_FOUND with the nearest that there are. */
export function existingRule(key: string): ConfRule {
  const rule = ruleOf(key)
  if (rule) return rule
  const near = nearest(key, namedKeys)
  throw new InvalidQueryError('SQL_CONF_NOT_FOUND', {
    what: `the engine has no configuration "${key}"`,
    todo:
      near.length > 0
        ? `did you mean ${near.map((name) => `"${name}"`).join(' or ')}?`
        : 'leave it out; docs/configuration.md lists what there is',
  })
}

/** The value in its canonical spelling. */
function checked(key: string, value: string): string {
  const rule = existingRule(key)
  if (rule.kind === 'refused') {
    throw new InvalidQueryError('UNSUPPORTED_CONF', {
      what: `"${key}" was set, and it can't be here: ${rule.reason}`,
      todo: 'leave it out',
    })
  }
  if (rule.kind === 'fixed') {
    const same = rule.values.find((each) => each.toLowerCase() === value.trim().toLowerCase())
    if (same !== undefined) return same
    throw new InvalidQueryError('UNSUPPORTED_CONF_VALUE', {
      what: `"${key}" was set to "${value}", and it is always ${rule.values.map((each) => `"${each}"`).join(' or ')} here`,
      todo: `leave it out; ${rule.reason}`,
    })
  }
  if (rule.kind === 'idle') return value
  const read = rule.read(value)
  if (read !== undefined) return read
  throw new InvalidQueryError(`INVALID_CONF_VALUE.${rule.problemOf(value)}`, {
    what: `"${key}" was set to "${value}", which is not ${rule.expected}`,
    todo: `give ${rule.expected} (default ${rule.defaultText ?? (rule.default || 'none')}): ${rule.meaning}`,
  })
}
