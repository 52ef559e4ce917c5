/**
 * Java's regular expressions as those of JavaScript, which is the nearest engine: look-around, back references and lazy quantifiers are
 * the same. What is written differently is rewritten here; possessive quantifiers and atomic groups become a look-ahead with a back
 * reference, which means the same; what has no counterpart (\G, \X, \b{g}) is refused.
 */
import { KernelError } from './kernel.ts'

export interface JavaRegex {
  readonly regex: RegExp
  readonly groups: number
  /** The number of each group of the user's in `regex`, which may have more of them. */
  readonly groupAt: readonly number[]
  readonly names: ReadonlyMap<string, number>
}

const cache = new Map<string, JavaRegex>()

/** INVALID_PARAMETER_VALUE.PATTERN for what Java does not read, UNSUPPORTED_ARGUMENT for what has no counterpart. */
export function javaRegex(pattern: string, of: string): JavaRegex {
  const known = cache.get(pattern)
  if (known) return known
  const made = translate(pattern, of)
  if (cache.size >= 1000) cache.clear()
  cache.set(pattern, made)
  return made
}

/** Classes of characters by name; \p{Alpha} and its like are ASCII in Java. */
const named: Readonly<Record<string, string>> = {
  Lower: 'a-z',
  Upper: 'A-Z',
  ASCII: '\\x00-\\x7f',
  Alpha: 'A-Za-z',
  Digit: '0-9',
  Alnum: 'A-Za-z0-9',
  Punct: '!-\\/:-@\\[-`\\{-~',
  Graph: '!-~',
  Print: ' -~',
  Blank: ' \\t',
  Cntrl: '\\x00-\\x1f\\x7f',
  XDigit: '0-9A-Fa-f',
  Space: ' \\t\\n\\v\\f\\r',
  javaLowerCase: '\\p{Lowercase}',
  javaUpperCase: '\\p{Uppercase}',
  javaWhitespace: '\\s',
  IsAlphabetic: '\\p{Alphabetic}',
  IsLetter: '\\p{L}',
  IsDigit: '\\p{Nd}',
  IsUppercase: '\\p{Uppercase}',
  IsLowercase: '\\p{Lowercase}',
  IsPunctuation: '\\p{P}',
  IsWhite_Space: '\\p{White_Space}',
}
const lineEnd = '\\n\\r\\x85\\u2028\\u2029'
const space = ' \\t\\n\\v\\f\\r'

class Translation {
  readonly #pattern: string
  readonly #of: string
  #at = 0
  #flags = { i: false, m: false, s: false, x: false }
  #count = 0
  readonly groupAt: number[] = [0]
  readonly names = new Map<string, number>()

  constructor(pattern: string, of: string) {
    this.#pattern = pattern
    this.#of = of
  }
  invalid(why: string): KernelError {
    return new KernelError(
      'INVALID_PARAMETER_VALUE.PATTERN',
      `The value of parameter regexp in ${this.#of} is invalid: '${this.#pattern}' ${why}.`,
    )
  }
  #unsupported(what: string): KernelError {
    return new KernelError(
      'UNSUPPORTED_ARGUMENT',
      `${this.#of} with ${what} in the regular expression '${this.#pattern}' can't run on the local engine`,
    )
  }
  #peek(text: string): boolean {
    return this.#pattern.startsWith(text, this.#at)
  }
  #take(): string {
    const point = this.#pattern.codePointAt(this.#at)
    if (point === undefined) throw this.invalid('ends too early')
    const c = String.fromCodePoint(point)
    this.#at += c.length
    return c
  }

  alternatives(inGroup: boolean): string {
    const flags = { ...this.#flags }
    let out = ''
    while (this.#at < this.#pattern.length) {
      if (this.#peek(')')) {
        if (!inGroup) throw this.invalid('has a ) too many')
        break
      }
      if (this.#peek('|')) {
        out += this.#take()
        continue
      }
      out += this.#quantified()
    }
    this.#flags = flags
    return out
  }

  #quantified(): string {
    const before = this.#count
    const atom = this.#atom()
    const quantifier = /^(?:[*+?]|\{\d+(?:,\d*)?\})/.exec(this.#pattern.slice(this.#at))?.[0]
    if (quantifier === undefined || atom === '') {
      if (quantifier !== undefined) throw this.invalid(`has a quantifier ${quantifier} with nothing before it`)
      return atom
    }
    this.#at += quantifier.length
    if (this.#peek('?')) return `${atom}${quantifier}${this.#take()}`
    if (!this.#peek('+')) return `${atom}${quantifier}`
    this.#take()
    if (this.#count !== before) throw this.#unsupported('a possessive quantifier of a group')
    this.#count++
    return `(?:(?=(${atom}${quantifier}))\\${this.#count})`
  }

  #atom(): string {
    const c = this.#take()
    switch (c) {
      case '(':
        return this.#group()
      case '[':
        return this.#flags.i ? `(?i:${this.#class()})` : this.#class()
      case '\\':
        return this.#escape(false)
      case '.':
        return this.#flags.s ? '[\\s\\S]' : `[^${lineEnd}]`
      case '^':
        return this.#flags.m ? `(?<![^${lineEnd}])` : '^'
      case '$':
        return this.#flags.m ? `(?=[${lineEnd}]|$)` : `(?=(?:\\r\\n|[${lineEnd}])?$)`
      case '*':
      case '+':
      case '?':
        throw this.invalid(`has a quantifier ${c} with nothing before it`)
      case '{':
        throw this.invalid('has a { that stands for itself: write \\{')
      case ']':
      case '}':
        return `\\${c}`
      default:
        if (this.#flags.x && /\s/.test(c)) return ''
        if (this.#flags.x && c === '#') {
          while (this.#at < this.#pattern.length && this.#take() !== '\n');
          return ''
        }
        return this.#literal(c)
    }
  }

  /** Without (?u), letters other than ASCII have one form. */
  #literal(c: string): string {
    if (this.#flags.i && /[A-Za-z]/.test(c)) return `[${c.toLowerCase()}${c.toUpperCase()}]`
    return /[\^$\\.*+?()[\]{}|/-]/.test(c) ? `\\${c === '-' ? 'x2d' : c}` : c
  }

  #group(): string {
    const close = (open: string) => {
      const inner = this.alternatives(true)
      if (!this.#peek(')')) throw this.invalid('has an open group')
      this.#at++
      return `${open}${inner})`
    }
    if (!this.#peek('?')) return this.#capture(close)
    const rest = this.#pattern.slice(this.#at)
    const lookAround = /^\?(?:=|!|<=|<!|:)/.exec(rest)?.[0]
    if (lookAround !== undefined) {
      this.#at += lookAround.length
      return close(`(${lookAround}`)
    }
    const name = /^\?<([A-Za-z][A-Za-z0-9]*)>/.exec(rest)
    if (name) {
      if (this.names.has(name[1]!)) throw this.invalid(`has two groups of the name ${name[1]}`)
      this.#at += name[0].length
      this.names.set(name[1]!, this.groupAt.length)
      return this.#capture(close)
    }
    if (rest.startsWith('?>')) {
      this.#at += 2
      const before = this.#count
      this.#count++
      const atomic = close('(')
      if (this.#count !== before + 1) throw this.#unsupported('an atomic group with groups inside')
      return `(?:(?=${atomic})\\${before + 1})`
    }
    return this.#flagGroup(rest, close)
  }
  #capture(close: (open: string) => string): string {
    this.groupAt.push(++this.#count)
    return close('(')
  }
  /** (?i) holds to the end of the group that it stands in, (?i:…) inside its own. */
  #flagGroup(rest: string, close: (open: string) => string): string {
    const match = /^\?([a-zA-Z]*)(?:-([a-zA-Z]*))?([:)])/.exec(rest)
    if (!match) throw this.invalid('has a group of an unknown kind')
    const [all, on = '', off = '', end] = match
    for (const flag of on + off) if (!'imsxdu'.includes(flag)) throw this.#unsupported(`the flag ${flag}`)
    this.#at += all.length
    const before = { ...this.#flags }
    for (const flag of on) if (flag in this.#flags) this.#flags[flag as 'i'] = true
    for (const flag of off) if (flag in this.#flags) this.#flags[flag as 'i'] = false
    if (end === ')') return '(?:)'
    const inner = close('(?:')
    this.#flags = before
    return inner
  }

  #escape(inClass: boolean): string {
    const c = this.#take()
    const outside: Readonly<Record<string, string>> = {
      A: '^',
      z: '$',
      Z: `(?=(?:\\r\\n|[${lineEnd}])?$)`,
      b: '\\b',
      B: '\\B',
      R: `(?:\\r\\n|[\\v\\f${lineEnd}])`,
    }
    if (!inClass && Object.hasOwn(outside, c)) {
      // an anchor that already takes an assertion cannot carry a capture away
      return c === 'A' ? '(?<![\\s\\S])' : c === 'z' ? '(?![\\s\\S])' : outside[c]!
    }
    const classes: Readonly<Record<string, string>> = {
      d: '0-9',
      w: 'a-zA-Z0-9_',
      s: space,
      h: ' \\t\\xa0\\u1680\\u180e\\u2000-\\u200a\\u202f\\u205f\\u3000',
      v: '\\n\\v\\f\\r\\x85\\u2028\\u2029',
    }
    const lower = c.toLowerCase()
    if (Object.hasOwn(classes, lower)) return c === lower ? (inClass ? classes[c]! : `[${classes[c]}]`) : `[^${classes[lower]}]`
    if (c === 'p' || c === 'P') return this.#property(c === 'P', inClass)
    if (c === 'Q') return this.#quoted(inClass)
    if (c === 'E') return ''
    if (/[1-9]/.test(c) && !inClass) return this.#backReference(c)
    if (c === 'k' && !inClass) return this.#namedReference()
    const value = this.#character(c)
    if (value !== undefined) return inClass ? this.#classLiteral(value) : this.#literal(value)
    if (/[A-Za-z]/.test(c)) throw 'GX'.includes(c) ? this.#unsupported(`\\${c}`) : this.invalid(`has an unknown escape \\${c}`)
    return inClass ? this.#classLiteral(c) : this.#literal(c)
  }
  #character(c: string): string | undefined {
    const simple: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f', a: '\x07', e: '\x1b' }
    if (Object.hasOwn(simple, c)) return simple[c]
    const rest = this.#pattern.slice(this.#at)
    const hex =
      c === 'x'
        ? (/^\{([0-9A-Fa-f]+)\}|^([0-9A-Fa-f]{2})/.exec(rest) ?? undefined)
        : c === 'u'
          ? (/^()([0-9A-Fa-f]{4})/.exec(rest) ?? undefined)
          : undefined
    if (hex) {
      this.#at += hex[0].length
      return String.fromCodePoint(Number.parseInt(hex[1] || hex[2]!, 16))
    }
    const octal = c === '0' ? /^[0-3]?[0-7]{1,2}/.exec(rest)?.[0] : undefined
    if (octal !== undefined) {
      this.#at += octal.length
      return String.fromCharCode(Number.parseInt(octal, 8))
    }
    return undefined
  }
  #property(negated: boolean, inClass: boolean): string {
    const match = /^(?:\{([^}]+)\}|([A-Za-z]))/.exec(this.#pattern.slice(this.#at))
    if (!match) throw this.invalid('has a \\p without a name')
    this.#at += match[0].length
    const name = match[1] ?? match[2]!
    const inner = named[name] ?? propertyOf(name)
    if (inner === undefined) throw this.invalid(`has an unknown class of characters {${name}}`)
    return negated ? `[^${inner}]` : inClass ? inner : `[${inner}]`
  }
  #quoted(inClass: boolean): string {
    const end = this.#pattern.indexOf('\\E', this.#at)
    const text = this.#pattern.slice(this.#at, end < 0 ? undefined : end)
    this.#at = end < 0 ? this.#pattern.length : end + 2
    return Array.from(text, (c) => (inClass ? this.#classLiteral(c) : this.#literal(c))).join('')
  }
  #backReference(first: string): string {
    let digits = first
    while (/[0-9]/.test(this.#pattern[this.#at] ?? '') && Number(digits + this.#pattern[this.#at]) < this.groupAt.length)
      digits += this.#take()
    const number = this.groupAt[Number(digits)]
    // a group that is not there yet never matches
    return number === undefined ? '(?!)' : `(?:\\${number})`
  }
  #namedReference(): string {
    const match = /^<([A-Za-z][A-Za-z0-9]*)>/.exec(this.#pattern.slice(this.#at))
    const number = match ? this.names.get(match[1]!) : undefined
    if (!match || number === undefined) throw this.invalid('refers to a group that is not there')
    this.#at += match[0].length
    return `(?:\\${this.groupAt[number]})`
  }

  /** With the flag v, classes may hold classes and && as in Java. */
  #class(): string {
    let out = ''
    if (this.#peek('^')) out += this.#take()
    let first = true
    for (;;) {
      if (this.#at >= this.#pattern.length) throw this.invalid('has an open class of characters')
      const start = this.#at
      const c = this.#take()
      if (c === ']' && !first) break
      first = false
      if (c === '[') out += this.#class()
      else if (c === '&' && this.#peek('&')) {
        this.#take()
        if (this.#peek(']')) break
        return this.#intersection(out)
      } else if (c === '\\') out += this.#escape(true)
      else if (c === '-' && !this.#peek(']') && start > 0 && out !== '' && out !== '^' && !this.#peek('[')) out += '-'
      else out += this.#classLiteral(c)
    }
    return `[${out}]`
  }
  #intersection(left: string): string {
    const negated = left.startsWith('^')
    const right = this.#class().slice(1, -1)
    return `[${negated ? '^' : ''}[${negated ? left.slice(1) : left}]&&[${right}]]`
  }
  #classLiteral(c: string): string {
    return /[\^$\\.*+?()[\]{}|/\-&!#%,:;<=>@`~]/.test(c) ? `\\${c}` : c
  }
}

/** A general category, script or block, as \p takes it. */
function propertyOf(name: string): string | undefined {
  for (const candidate of [
    name,
    name.replace(/^Is/, ''),
    name.replace(/^(?:Is|script=|sc=|IsScript=)/, 'Script='),
    `Script=${name.replace(/^Is/, '')}`,
  ]) {
    try {
      new RegExp(`\\p{${candidate}}`, 'v')
      return `\\p{${candidate}}`
    } catch {
      // the next
    }
  }
  return undefined
}

function translate(pattern: string, of: string): JavaRegex {
  const translation = new Translation(pattern, of)
  const source = translation.alternatives(false)
  const { groupAt, names } = translation
  try {
    return { regex: new RegExp(source, 'gv'), groups: groupAt.length - 1, groupAt, names }
  } catch (error) {
    throw translation.invalid(`can't be read (${(error as Error).message})`)
  }
}
