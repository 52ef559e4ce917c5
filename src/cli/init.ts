import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { version } from '../version.ts'
import { exitCodes } from './exit-codes.ts'
import type { Terminal } from './report.ts'

/** `millrace init`: a project that runs at once. Refuses a folder that holds anything. */
export function init(folder: string, terminal: Terminal): number {
  const path = resolve(folder)
  if (existsSync(path) && !statSync(path).isDirectory()) {
    terminal.err(`millrace: NOT_A_FOLDER: ${path} is a file\n  What to do: name a new folder: millrace init my-stream\n`)
    return exitCodes.usage
  }
  if (existsSync(path) && readdirSync(path).some((name) => name !== '.git')) {
    terminal.err(`millrace: FOLDER_NOT_EMPTY: ${path} is not empty\n  What to do: name a new folder: millrace init my-stream\n`)
    return exitCodes.usage
  }
  for (const [name, content] of Object.entries(projectFiles(basename(path)))) {
    mkdirSync(dirname(join(path, name)), { recursive: true })
    writeFileSync(join(path, name), content)
    terminal.out(`${name}\n`)
  }
  terminal.err(
    `\nA query is in app.ts. Next:\n${path === process.cwd() ? '' : `  cd ${folder}\n`}  npm install\n  npm start      # runs it; Ctrl-C drains\n  npm run dev    # runs it anew at every change\n  npm test\n`,
  )
  return exitCodes.done
}

/** Each line on its own, so that nobody takes them for imports of this file. */
function lines(...all: readonly string[]): string {
  return `${all.join('\n')}\n`
}

export function projectFiles(name: string): Readonly<Record<string, string>> {
  const packageName =
    name
      .toLowerCase()
      .replaceAll(/[^a-z0-9._-]+/g, '-')
      .replace(/^[._-]+/, '') || 'stream'
  return {
    'package.json': `${JSON.stringify(
      {
        name: packageName,
        private: true,
        type: 'module',
        engines: { node: '>=24' },
        scripts: {
          start: 'millrace run app.ts',
          dev: 'millrace dev app.ts',
          explain: 'millrace explain app.ts',
          test: 'node --test',
          check: 'tsc',
        },
        dependencies: { millrace: `^${version}` },
        devDependencies: { '@types/node': '^24', typescript: '^7' },
      },
      null,
      2,
    )}\n`,
    'tsconfig.json': `${JSON.stringify(
      {
        compilerOptions: {
          target: 'esnext',
          module: 'nodenext',
          strict: true,
          noEmit: true,
          skipLibCheck: true,
          allowImportingTsExtensions: true,
          erasableSyntaxOnly: true,
          verbatimModuleSyntax: true,
          types: ['node'],
        },
        include: ['*.ts'],
      },
      null,
      2,
    )}\n`,
    '.gitignore': 'node_modules/\ncheckpoints/\nout/\n',
    'in/clicks.json': `${['ann', 'bob', 'ann', 'eve', 'bob', 'ann']
      .map((user, i) => JSON.stringify({ at: `2026-01-01T10:0${i}:30Z`, user, page: i % 2 === 0 ? '/' : '/shop' }))
      .join('\n')}\n`,
    'query.ts': lines(
      "import { count, type Engine, t, window } from 'millrace'",
      '',
      'export const click = { at: t.timestamp(), user: t.string(), page: t.string() }',
      "export const readClicks = (engine: Engine) => engine.readStream.schema(click).json('in')",
      '',
      '/** The clicks of each page in windows of five minutes. */',
      'export const clicksPerPage = (clicks: ReturnType<typeof readClicks>) =>',
      '  clicks',
      "    .withWatermark('at', '10 minutes')",
      "    .groupBy(({ at, page }) => ({ window: window(at, '5 minutes'), page }))",
      '    .agg(() => ({ clicks: count() }))',
      '    .select(({ window, page, clicks }) => ({ from: window.start, page, clicks }))',
    ),
    'app.ts': lines(
      "import type { Engine } from 'millrace'",
      "import { clicksPerPage, readClicks } from './query.ts'",
      '',
      '// Reads what is in in/ and waits for more. What it has read and counted is in checkpoints/: start it again, and it goes on.',
      'export default (engine: Engine) =>',
      '  clicksPerPage(readClicks(engine))',
      "    .writeStream.queryName('clicks')",
      "    .outputMode('update')",
      "    .trigger({ processingTime: '1 second' })",
      "    .option('checkpointLocation', 'checkpoints/clicks')",
      "    .format('console')",
      '    .start()',
    ),
    'query.test.ts': lines(
      "import { test } from 'node:test'",
      "import { MemoryStream, millrace } from 'millrace'",
      "import { addData, checkNewAnswer, testStream } from 'millrace/testing'",
      "import { click, clicksPerPage } from './query.ts'",
      '',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the text of a program
      'const at = (time: string) => new Date(`2026-01-01T${time}Z`)',
      '',
      "test('a window comes out once the watermark has passed it', async () => {",
      '  await using engine = await millrace.local()',
      '  const clicks = new MemoryStream(engine, click)',
      '  await testStream(clicksPerPage(clicks.toDF()), [',
      "    addData(clicks, { at: at('10:01:00'), user: 'ann', page: '/' }, { at: at('10:04:00'), user: 'bob', page: '/' }),",
      '    checkNewAnswer(),',
      "    addData(clicks, { at: at('10:30:00'), user: 'ann', page: '/' }),",
      "    checkNewAnswer({ from: at('10:00:00'), page: '/', clicks: 2n }),",
      '  ])',
      '})',
    ),
  }
}
