/** `npm run demo:look`: the worst hours in what the last run of the demo wrote. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { millrace } from 'millrace'
import { readOutput } from './flights.ts'
import { demoFolders } from './lay-out.ts'

const { values } = parseArgs({ options: { folder: { type: 'string', default: '.demo' } } })
const folders = demoFolders(resolve(values.folder))
if (!existsSync(folders.output)) {
  console.error(`there is no output in ${folders.output}: run "npm run demo" first`)
  process.exit(1)
}
const engine = await millrace.local()
const delays = readOutput(engine, folders.output)
console.log(
  `${(await delays.count()).toLocaleString('en-US')} hours at airports; the ten with the worst average delay of at least 20 flights:`,
)
await delays
  .where(({ flights }) => flights.geq(20))
  .orderBy(({ average_delay }) => average_delay.desc())
  .select('hour', 'origin', 'city', 'flights', 'average_delay', 'worst_delay')
  .show(10, false)
await engine.close()
