import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'

/** Which rooms a room of src/ may import. STYLE of the house: a batch walks through the rooms in a row, and a door that is not listed is a wall. */
interface Room {
  readonly imports: readonly string[]
  /** Why, where it is not plain from the room's work. */
  readonly because?: string
}
const rooms: Readonly<Record<string, Room>> = {
  base: { imports: [] },
  data: { imports: ['base'] },
  plan: { imports: ['base', 'data'] },
  query: { imports: ['base', 'data', 'plan'], because: 'the port of an engine takes plans and gives rows' },
  api: { imports: ['base', 'data', 'plan', 'query'] },
  planner: { imports: ['base', 'data', 'plan'] },
  sources: { imports: ['base', 'data'] },
  checkpoint: { imports: ['base'] },
  sql: { imports: ['base', 'data', 'plan'] },
  state: {
    imports: ['base', 'data', 'checkpoint'],
    because: 'the table of restart rules says what the state of a changed query may become',
  },
  operators: { imports: ['base', 'data', 'state'] },
  sinks: { imports: ['base', 'data', 'plan'], because: 'a sink is told the OutputMode, which is a word of the plan' },
  inspect: {
    imports: ['base', 'data', 'checkpoint', 'state', 'query'],
    because: 'it looks at checkpoints from outside: their logs, their state, the history of their progress',
  },
  runtime: {
    imports: 'version.ts base data plan planner sources checkpoint sql operators state sinks query inspect'.split(' '),
    because: 'it alone opens the doors in order; it knows the plan that it runs, and nothing of how the user wrote it',
  },
  // The parts that put the rooms together.
  'engine.ts': {
    imports: ['base', 'data', 'query', 'api', 'runtime', 'sources', 'sinks'],
    because: 'the Engine that users hold; memory tables and streams are objects that the program shares with a sink and a source',
  },
  'index.ts': { imports: ['engine.ts', 'version.ts', 'base', 'data', 'query', 'api', 'sources', 'sinks', 'inspect', 'runtime'] },
  'entry.ts': { imports: ['check-node.ts', 'index.ts'] },
  'check-node.ts': { imports: [] },
  'version.ts': { imports: [] },
  // Systems outside, each behind a subpath export that registers its formats when it is imported.
  databases: {
    imports: ['base', 'data', 'plan', 'sources', 'sinks'],
    because: 'it gives sources and sinks; a sink is told the OutputMode, which is a word of the plan',
  },
  delta: {
    imports: ['base', 'data', 'plan', 'query', 'api', 'sources', 'sinks'],
    because:
      "it gives sources and sinks; schemas in its logs are Spark's JSON, which plan/ reads; DeltaTable takes frames and columns, and runs plans of its own",
  },
  kafka: {
    imports: ['base', 'data', 'sources', 'sinks', 'api'],
    because: 'it gives sources and sinks, and functions of columns for the formats of their values, and knows its client libraries',
  },
  // On the roof.
  testing: {
    imports: ['base', 'data', 'plan', 'query', 'api', 'sources', 'sinks', 'operators', 'state'],
    because:
      'it drives queries through the ports, its conformance suites hold sources and sinks against theirs, and a processor is tried without a query: over the step and the state in memory',
  },
  cli: { imports: ['check-node.ts', 'index.ts', 'version.ts', 'base', 'query'] },
}

/** Optional peer dependencies, by the one room that knows them. */
const optionalLibraries: Readonly<Record<string, readonly string[]>> = {
  databases: ['@redis/client', 'mysql2', 'pg'],
  delta: ['hyparquet', 'hyparquet-compressors'],
  kafka: ['@platformatic/kafka', 'avsc', 'protobufjs'],
  state: ['@nxtedition/rocksdb'],
}

/** Files of more than 600 lines, and why each is one thing. */
const longFiles: Readonly<Record<string, string>> = {
  'test/cases/streaming-query-suites.test.ts':
    'the reference has these cases in suites that belong together: query, manager, listener, progress',
  'src/sql/sql-batch.test.ts': 'one suite over one interface: what a SqlBatch promises, on one set of tables',
}

const root = resolve(import.meta.dirname, '..')
const src = join(root, 'src')

describe('rooms', () => {
  const edges = allImports()

  test('every folder of src/ is a room of the table', () => {
    expect(new Set(edges.map((edge) => edge.from)).difference(new Set(Object.keys(rooms)))).toEqual(new Set())
  })

  test('a room imports only the rooms that its row names', () => {
    const strangers = edges.filter((edge) => edge.from !== edge.to && !(rooms[edge.from]?.imports ?? []).includes(edge.to))
    expect(strangers.map((edge) => `${edge.file} (${edge.from}) imports ${edge.specifier} (${edge.to})`)).toEqual([])
  })

  test('the table has no cycle', () => {
    expect(findCycle((room) => rooms[room]?.imports ?? [])).toEqual([])
  })

  test('only sql/ and the parts that lay out its data know DuckDB', () => {
    const strangers = packageImports().filter(({ specifier, room }) => specifier.startsWith('@duckdb/') && room !== 'sql')
    expect(strangers.map(({ file }) => file)).toEqual([])
  })

  test('src/ imports nothing but its dependencies, Node and itself; a room may know an optional one', () => {
    const declared = Object.keys(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).dependencies)
    const strangers = packageImports().filter(
      ({ specifier, room }) =>
        !specifier.startsWith('node:') &&
        ![...declared, ...(optionalLibraries[room] ?? [])].some((name) => specifier === name || specifier.startsWith(`${name}/`)),
    )
    expect(strangers.map(({ file, specifier }) => `${file}: ${specifier}`)).toEqual([])
  })

  test('an optional library is loaded when it is used, and never by a plain import', () => {
    const optional = Object.values(optionalLibraries).flat()
    const plain = sourceFiles().filter((file) => {
      const text = readFileSync(file, 'utf8')
      return optional.some((name) => new RegExp(`^(?:import|export)\\s+(?!type\\b)[^'"(]*['"]${name}['"/]`, 'm').test(text))
    })
    expect(plain.map((file) => relative(root, file))).toEqual([])
  })
})

describe('files', () => {
  const files = ['src', 'test', 'bench', 'examples', 'demo', 'scripts', 'docs', '.ci'].flatMap((folder) => walk(join(root, folder)))
  const texts = new Map(files.map((file) => [relative(root, file), readFileSync(file, 'utf8')]))

  test('a document that the code speaks of exists', () => {
    const named = [...texts].flatMap(([file, text]) =>
      (file.endsWith('.md') ? [] : [...text.matchAll(/docs\/[a-z-]+(?:\.md|\/[a-z0-9-]+\.md)?/g)]).map(([name]) => ({ file, name })),
    )
    expect(
      named
        .filter(({ name }) => !existsSync(join(root, name)) && !existsSync(join(root, `${name}.md`)))
        .map(({ file, name }) => `${file}: ${name}`),
    ).toEqual([])
  })

  test('no file of code has over 600 lines without a reason', () => {
    const long = [...texts].filter(([file, text]) => /\.(ts|js)$/.test(file) && text.split('\n').length > 600 && !(file in longFiles))
    expect(long.map(([file, text]) => `${file}: ${text.split('\n').length} lines`)).toEqual([])
  })

  test('every reason belongs to a file that is still long', () => {
    const short = Object.keys(longFiles).filter((file) => (texts.get(file) ?? '').split('\n').length <= 600)
    expect(short).toEqual([])
  })

  // Spelt in two halves, so that this file is not its own finding.
  const unwanted = [
    { what: 'an unfinished piece', pattern: new RegExp(`\\b(${'TO'}DO|${'FIX'}ME)\\b`) },
    { what: "a path of somebody's machine", pattern: new RegExp(`(^|[\\s"'\`(=])/(${'wo'}rk|${'ho'}me|${'ro'}ot|${'Us'}ers)/`, 'm') },
    { what: 'a focused test', pattern: new RegExp(`\\b(test|it|describe)\\.${'on'}ly\\b`) },
  ]
  test.each(unwanted)('no file holds $what', ({ pattern }) => {
    const found = [...texts].filter(([, text]) => pattern.test(text)).map(([file, text]) => `${file}: ${pattern.exec(text)?.[0]}`)
    expect(found).toEqual([])
  })
})

interface Import {
  readonly file: string
  readonly specifier: string
  readonly room: string
}

/** Imports between files of src/ by room. Tests may use what they like. */
function allImports() {
  return sourceImports()
    .filter(({ specifier }) => specifier.startsWith('.'))
    .map(({ file, specifier, room }) => ({ file, specifier, from: room, to: roomOf(resolve(dirname(join(root, file)), specifier)) }))
}
function packageImports(): Import[] {
  return sourceImports().filter(({ specifier }) => !specifier.startsWith('.'))
}
function sourceFiles(): string[] {
  return walk(src).filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !file.endsWith('-test-kit.ts'))
}
function sourceImports(): Import[] {
  return sourceFiles().flatMap((file) =>
    specifiersOf(readFileSync(file, 'utf8')).map((specifier) => ({ file: relative(root, file), specifier, room: roomOf(file) })),
  )
}
/** `import … from 'x'`, `export … from 'x'`, `import 'x'`, `import('x')` and `new URL('./x.ts', import.meta.url)`; not those inside comments. */
function specifiersOf(text: string): string[] {
  const code = text.replaceAll(/^\s*(\/\/|\*|\/\*).*$/gm, '')
  const statement = /^(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]|^import\s*['"]([^'"]+)['"]/gm
  const dynamic = /\bimport\(\s*['"]([^'"]+)['"]\s*\)|\bnew URL\(\s*['"](\.[^'"]+\.[tj]s)['"]/g
  return [...code.matchAll(statement), ...code.matchAll(dynamic)].map((match) => match[1] ?? match[2]!)
}
/** The folder below src/, or the file's own name for a file that lies in src/ itself. */
function roomOf(file: string): string {
  return relative(src, file).split('/')[0]!
}

/** The rooms of some cycle, or nothing. */
function findCycle(importsOf: (room: string) => readonly string[]): string[] {
  const done = new Set<string>()
  const visit = (room: string, path: readonly string[]): string[] => {
    if (path.includes(room)) return [...path.slice(path.indexOf(room)), room]
    if (done.has(room)) return []
    const cycle = importsOf(room)
      .map((next) => visit(next, [...path, room]))
      .find((found) => found.length > 0)
    done.add(room)
    return cycle ?? []
  }
  return (
    Object.keys(rooms)
      .map((room) => visit(room, []))
      .find((found) => found.length > 0) ?? []
  )
}

function walk(folder: string): string[] {
  if (!statSync(folder, { throwIfNoEntry: false })) return []
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ts|js|md|json|sh)$|^run$/.test(entry.name) && !entry.parentPath.includes('golden'))
    .map((entry) => join(entry.parentPath, entry.name))
}
