/** One login of a JAAS configuration: `<module> required name="value" …;`. */
export interface JaasLogin {
  /** The module's class name without its package. */
  readonly module: string
  readonly options: Readonly<Record<string, string>>
}

/** Reads the one login that `sasl.jaas.config` holds; undefined where the text is not of that form. */
export function parseJaas(text: string): JaasLogin | undefined {
  const head = /^\s*([\w.$]+)\s+(?:required|requisite|sufficient|optional)\b/i.exec(text)
  if (!head) return undefined
  const options: Record<string, string> = {}
  const option = /\s*([\w.-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s;"']+))/y
  option.lastIndex = head[0].length
  for (let at = option.lastIndex; ; at = option.lastIndex) {
    const match = option.exec(text)
    if (!match) return /^\s*;?\s*$/.test(text.slice(at)) ? { module: head[1]!.split('.').at(-1)!, options } : undefined
    options[match[1]!] = (match[2] ?? match[3] ?? match[4]!).replaceAll(/\\(.)/g, '$1')
  }
}
