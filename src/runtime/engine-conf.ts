import { textOf } from '../base/arguments.ts'
import { InvalidQueryError } from '../base/errors.ts'
import type { RuntimeConf } from '../query/runtime-conf.ts'
import { Conf, type ConfValues, existingRule } from './conf.ts'
import { ruleOf } from './conf-keys/rules.ts'

/**
 * The configuration of an engine, which may change while it runs. Keys that have no effect here are taken, so that the settings of a production
 * job do not stop a query, and `print` is told of them once.
 */
export class EngineConf implements RuntimeConf {
  readonly #print: (text: string) => void
  #current: Conf
  #hasTold = false
  constructor(given: ConfValues, print: (text: string) => void) {
    this.#print = print
    this.#current = new Conf(given)
    this.#tellIdle(Object.keys(given))
  }
  /** What a query that starts now gets. */
  get current(): Conf {
    return this.#current
  }

  get<T>(key: string, ...otherwise: [T?]): string | T {
    const value = this.#current.get(key)
    if (value !== undefined) return value
    if (otherwise.length > 0) return otherwise[0] as T
    existingRule(key)
    throw new InvalidQueryError('SQL_CONF_NOT_FOUND', {
      what: `"${key}" is not set, and it has no default: it has no effect here`,
      todo: `give one: engine.conf.get('${key}', otherwise)`,
    })
  }
  get getAll(): Readonly<Record<string, string>> {
    return this.#current.values
  }
  set(key: string, value: string | number | boolean): void {
    this.#checkModifiable(key)
    this.#current = this.#current.with({ [key]: value })
    this.#tellIdle([key])
  }
  unset(key: string): void {
    this.#checkModifiable(key)
    this.#current = this.#current.without(key)
  }
  isModifiable(key: string): boolean {
    const rule = ruleOf(key)
    if (!rule || rule.kind === 'refused') return false
    if (rule.kind === 'works') return rule.scope === 'query'
    return rule.kind === 'fixed' || !rule.isStatic
  }

  #checkModifiable(key: string): void {
    textOf('the key of a setting', key, "write engine.conf.set('spark.sql.shuffle.partitions', 8)")
    if (existingRule(key).kind === 'refused' || this.isModifiable(key)) return
    throw new InvalidQueryError('CANNOT_MODIFY_CONFIG', {
      what: `cannot modify "${key}" while the engine runs`,
      todo: `set it where the engine is made: millrace.local({ conf: { '${key}': … } })`,
    })
  }
  /** One notice for an engine, whatever is set later. */
  #tellIdle(keys: readonly string[]): void {
    const idle = keys.filter((key) => ruleOf(key)?.kind === 'idle')
    if (idle.length === 0 || this.#hasTold) return
    this.#hasTold = true
    const rule = ruleOf(idle[0]!)
    const first = rule?.kind === 'idle' ? ` (${idle[0]}: ${rule.reason})` : ''
    this.#print(`millrace: taken and without effect on one machine: ${idle.join(', ')}${first}; docs/configuration.md says why for each`)
  }
}
