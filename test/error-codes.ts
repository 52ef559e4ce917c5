import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'

/** A code as it stands in one place of the source. Texts have `{name}` where a value comes in. */
export interface CodeUse {
  readonly code: string
  /** The class that is thrown. */
  readonly errorClass: string
  readonly what: string
  readonly todo: string
  readonly file: string
}
/** A function of src/ that makes an error of the code that it is given. */
interface Helper {
  readonly name: string
  readonly errorClass: string
  readonly prefix: string
  readonly codeAt: number
  readonly whatAt: number
  readonly todoAt: number
  /** What the function says itself. */
  readonly what: string
  readonly todo: string
}

/** Every error code of src/ with the texts that go with it, found by reading the source. */
export function errorCodes(root: string): CodeUse[] {
  const src = join(root, 'src')
  const sources = readdirSync(src, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !/\.test\.ts$|-test-kit\.ts$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ file: relative(root, path), text: withoutComments(readFileSync(path, 'utf8')) }))
  const classes = sources.flatMap(({ text }) =>
    [...text.matchAll(/class (\w+) extends (\w+Error)\b/g)].map(([, name, base]) => [name!, base!] as const),
  )
  const rootOf = new Map(classes.map(([name, base]) => [name, base === 'MillraceError' ? name : base]))
  const helpers = [...sources.flatMap(({ text }) => helpersIn(text, rootOf)), raised, { ...raised, name: 'KernelError' }]
  return sources
    .flatMap(({ file, text }) =>
      [...newErrors(text, rootOf), ...helpers.flatMap((helper) => callsOf(text, helper))].map((use) => ({ ...use, file })),
    )
    .sort((a, b) => (a.code < b.code ? -1 : a.code > b.code ? 1 : 0))
}
/** SQL that the planner writes raises an error of the user's data: raise('DIVIDE_BY_ZERO', 'Division by zero.'). So do functions in TypeScript that it calls. */
const raised: Helper = { name: 'raise', errorClass: 'InvalidQueryError', prefix: '', codeAt: 0, whatAt: 1, todoAt: -1, what: '', todo: '' }

function newErrors(text: string, rootOf: ReadonlyMap<string, string>): Omit<CodeUse, 'file'>[] {
  return [...text.matchAll(/new (\w+Error)\(/g)].flatMap((match) => {
    const errorClass = rootOf.get(match[1]!)
    if (errorClass === undefined) return []
    const [code = '', fields = ''] = argumentsAt(text, match.index + match[0].length)
    // the one code of a helper is its caller's
    if (/^`[A-Z0-9_.]+\$\{\w+\}`$/.test(code)) return []
    const [what, todo] = textsOf(fields, text.slice(0, match.index))
    return codesIn(code).map((each) => ({ code: each, errorClass, what, todo }))
  })
}

function helpersIn(text: string, rootOf: ReadonlyMap<string, string>): Helper[] {
  return [...text.matchAll(/(?:function (\w+)|\bconst (\w+) =)\s*(?=[(<])/g)].flatMap((match): Helper[] => {
    const name = match[1] ?? match[2]!
    const open = text.indexOf('(', match.index + match[0].length)
    const parameters = argumentsAt(text, open + 1).map((each) => /^\w+/.exec(each)?.[0] ?? '')
    const body = text.slice(open, open + 900).split(/\n}\n/)[0]!
    const made = /new (\w+Error)\(\s*(?:`([A-Z][A-Z0-9_.]*)\$\{(\w+)\}`|(\w+))\s*,/.exec(body)
    const errorClass = made && rootOf.get(made[1]!)
    const codeAt = made ? parameters.indexOf(made[3] ?? made[4]!) : -1
    if (!made || !errorClass || codeAt < 0) return []
    const [, fields = ''] = argumentsAt(body, body.indexOf(made[0]) + made[0].indexOf('(') + 1)
    const [what, todo] = textsOf(fields, body.slice(0, body.indexOf(made[0])))
    const at = (names: readonly string[]) => parameters.findIndex((each) => names.includes(each))
    return [
      {
        name,
        errorClass,
        prefix: made[2] ?? '',
        codeAt,
        whatAt: at(['what', 'text', 'message', 'problem']),
        todoAt: at(['todo', 'advice']),
        what,
        todo,
      },
    ]
  })
}

function callsOf(text: string, helper: Helper): Omit<CodeUse, 'file'>[] {
  return [...text.matchAll(new RegExp(`(?<!function |[\\w.])${helper.name}\\(`, 'g'))].flatMap((match) => {
    const given = argumentsAt(text, match.index + match[0].length)
    const what = (helper.whatAt < 0 ? '' : textOf(given[helper.whatAt] ?? '')) || helper.what
    const todo = (helper.todoAt < 0 ? '' : textOf(given[helper.todoAt] ?? '')) || helper.todo
    return codesIn(given[helper.codeAt] ?? '').map((code) => ({ code: helper.prefix + code, errorClass: helper.errorClass, what, todo }))
  })
}

/** The codes that an expression may have: of a literal, of both arms of a condition, of a template with such inside. */
function codesIn(expression: string): string[] {
  const template = /^`([A-Z][A-Z0-9_.]*)\$\{([^}]*)\}([A-Z0-9_]*)`$/.exec(expression)
  if (template) {
    const inner = codesIn(template[2]!)
    return (inner.length > 0 ? inner : ['*']).map((each) => `${template[1]}${each}${template[3]}`)
  }
  return [...expression.matchAll(/'([A-Z][A-Z0-9]*(?:[_.][A-Z0-9]+)*)'/g)].map((match) => match[1]!)
}

/** The source of each argument of a call whose list begins at `from`. */
function argumentsAt(text: string, from: number): string[] {
  const found: string[] = []
  let start = from
  for (let i = from, depth = 0; i < text.length; i++) {
    const c = text[i]!
    if (c === "'" || c === '"' || c === '`') i = endOfString(text, i)
    else if ('([{'.includes(c)) depth++
    else if (')]}'.includes(c)) {
      if (depth-- === 0) return [...found, text.slice(start, i).trim()].filter((each) => each !== '')
    } else if (c === ',' && depth === 0) {
      found.push(text.slice(start, i).trim())
      start = i + 1
    }
  }
  return found
}
function endOfString(text: string, from: number): number {
  const quote = text[from]!
  for (let i = from + 1; i < text.length; i++) {
    if (text[i] === '\\') i++
    else if (text[i] === quote) return i
    else if (quote === '`' && text.startsWith('${', i)) i = endOfBraces(text, i + 2)
  }
  return text.length
}
function endOfBraces(text: string, from: number): number {
  for (let i = from, depth = 0; i < text.length; i++) {
    const c = text[i]!
    if (c === "'" || c === '"' || c === '`') i = endOfString(text, i)
    else if (c === '{') depth++
    else if (c === '}' && depth-- === 0) return i
  }
  return text.length
}

/** `what` and `todo` of an object literal as text; `before` is the source before it, where a name that stands for its value was declared. */
function textsOf(fields: string, before: string): [what: string, todo: string] {
  const inside = fields.startsWith('{') ? argumentsAt(fields, 1) : []
  const text = (name: string) => {
    const field = inside.find((each) => new RegExp(`^${name}\\b`).test(each))
    if (field === undefined) return ''
    const value = field === name ? name : field.slice(field.indexOf(':') + 1).trim()
    return textOf(/^\w+$/.test(value) ? declared(value, before) : value)
  }
  return [text('what'), text('todo')]
}
function declared(name: string, before: string): string {
  const near = before.slice(-2500)
  const at = near.lastIndexOf(`const ${name} =`)
  return at < 0 ? '' : near.slice(at).split(/\n\s*(?:const|if|return|throw|for)\b/)[0]!
}

/** What an expression of text says: its literals, with `{name}` for each value. Of several alternatives all. */
function textOf(expression: string): string {
  const parts: string[] = []
  for (let i = 0; i < expression.length; i++) {
    const c = expression[i]!
    if (c !== "'" && c !== '"' && c !== '`') continue
    const end = endOfString(expression, i)
    const isText = !/(===|!==|\[|\()\s*$/.test(expression.slice(0, i))
    if (isText) parts.push(c === '`' ? templateText(expression.slice(i + 1, end)) : plain(expression.slice(i + 1, end)))
    i = end
  }
  return parts.filter((part) => part !== '').join(' / ')
}
function templateText(template: string): string {
  let out = ''
  for (let i = 0; i < template.length; i++) {
    if (template[i] === '\\') {
      out += template.slice(i, ++i + 1)
      continue
    }
    if (!template.startsWith('${', i)) {
      out += template[i]
      continue
    }
    const end = endOfBraces(template, i + 2)
    out += `{${nameOf(template.slice(i + 2, end))}}`
    i = end
  }
  return plain(out)
}
/** A word for a value: the last name of a path, the first argument of a call. */
function nameOf(expression: string): string {
  const path = /^(?:this\.)?#?[\w.[\]!?]*?#?(\w+)!?$/.exec(expression.trim())
  if (path) return path[1]!
  const call = /^[\w.]+\((?:[\w.]*?)(\w+)!?\)$/.exec(expression.trim())
  return call ? call[1]! : '…'
}
function plain(text: string): string {
  return text.replaceAll(/\\n/g, ' ').replaceAll(/\\(.)/g, '$1').replaceAll(/\s+/g, ' ').trim()
}

/** Lines that are comments alone: they may hold quotes. */
function withoutComments(text: string): string {
  return text.replaceAll(/^\s*\/\/.*$/gm, '').replaceAll(/\/\*[\s\S]*?\*\//g, '')
}
