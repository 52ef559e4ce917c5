/** The configuration of an engine while it runs: `engine.conf`. A query keeps what stood when it started. */
export interface RuntimeConf {
  /**
   * The value of a key, or its default, or `otherwise`. InvalidQueryError SQL_CONF_NOT_FOUND for a key that has neither.
   */
  get(key: string): string
  get<T>(key: string, otherwise: T): string | T
  /** The keys that were set, with their values. */
  readonly getAll: Readonly<Record<string, string>>
  /**
   * Sets a key for the queries that start from now on. InvalidQueryError for a key that does not exist (SQL_CONF_NOT_FOUND), a value that it does
   * not take (INVALID_CONF_VALUE…, UNSUPPORTED_CONF_VALUE, UNSUPPORTED_CONF), and a key that is fixed when the engine is made (CANNOT_MODIFY_CONFIG).
   */
  set(key: string, value: string | number | boolean): void
  /** Gives a key back its default. InvalidQueryError as for `set`. */
  unset(key: string): void
  /** Whether `set` may change the key. */
  isModifiable(key: string): boolean
}
