/**
 * `npm run demo:kafka`: a real broker, a producer, and two queries over its topic that count views by page and minute, exactly once, into a Delta table and into
 * another topic. Half-way their process is killed; it goes on, and both outputs are compared with a single batch over the topic. Needs Java and Maven.
 * Options: --folder F (default .demo-kafka), --plain (no live display).
 */
import { join, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { type Display, display, number } from './display.ts'
import { installBroker, startBroker, whyNoBroker } from './kafka-broker.ts'
import { compareOutputs } from './kafka-compare.ts'
import { KafkaTally } from './kafka-tally.ts'
import { outputTopic, viewsTotal } from './kafka-views.ts'
import { clear } from './lay-out.ts'
import { Worker } from './worker-process.ts'

const { values } = parseArgs({
  options: { folder: { type: 'string', default: '.demo-kafka' }, plain: { type: 'boolean', default: false } },
})
const startedAtMs = performance.now()
process.exitCode = await demo(resolve(values.folder), display(process.stdout, { plain: values.plain }))

async function demo(root: string, show: Display): Promise<number> {
  const reason = whyNoBroker()
  if (reason !== undefined) {
    console.error(
      `The demo needs a Kafka broker, and ${reason}. Install Java 17 and Maven, then run: npm run kafka:install && npm run demo:kafka`,
    )
    return 1
  }
  show.say('Millrace demo: views of web pages, from Kafka into a Delta table and into Kafka, exactly once.')
  installBroker()
  clear(root)
  const broker = await startBroker()
  try {
    return await stream(root, show, broker)
  } finally {
    await broker.stop()
  }
}

async function stream(root: string, show: Display, broker: Awaited<ReturnType<typeof startBroker>>): Promise<number> {
  const table = join(root, 'views-per-minute')
  const args = [broker.bootstrap, table, join(root, 'checkpoints')]
  const tally = new KafkaTally(viewsTotal, show)
  const start = () => new Worker('kafka-worker.ts', args, (progress) => tally.add(progress), 2)
  show.say(`The broker is up. ${number(viewsTotal)} views come in as JSON, and half-way the worker with both queries is killed.`)
  const sending = broker.sendViews()
  sending.catch(() => {})

  const first = start()
  await Promise.race([tally.reached(0.5), endedEarly(first)])
  first.tell({ kind: 'hold' })
  const held = new Map((await first.holding).map(({ queryName, batchId }) => [queryName!, batchId]))
  first.kill()
  const signal = await first.ended
  if (signal !== 'SIGKILL') throw new Error(`the worker was to end by SIGKILL, and ended by ${signal}`)
  show.say(
    `SIGKILL. Batch ${held.get('to-delta')} into Delta has its state and no output; batch ${held.get('to-kafka')} into Kafka is committed there, and the query has not noted it. Starting a new worker …`,
  )

  const second = start()
  await Promise.race([Promise.all([tally.reached(1), sending]), endedEarly(second)])
  show.say('All views are in. One from a far future closes the last windows …')
  await broker.sendClosing()
  second.tell({ kind: 'finish' })
  const code = await second.ended
  if (code !== 0) throw new Error(`the second worker ended with ${code}`)
  const streamedMs = performance.now() - startedAtMs

  show.say('Comparing both outputs with the same query, run once as a batch over the topic …')
  const comparisons = await compareOutputs(broker.bootstrap, table, root)
  for (const { name, rows, batchRows, views, onlyInOutput, onlyInBatch, same } of comparisons) {
    show.say(
      `${same ? 'IDENTICAL' : 'DIFFERENT'}: ${name}: ${number(rows)} rows, ${number(batchRows)} from the batch (${number(views)} views); ` +
        `EXCEPT ALL leaves ${number(onlyInOutput)} one way and ${number(onlyInBatch)} the other.`,
    )
  }
  const replayed = [...held].map(([query, batchId]) => ({ query, batchId, isReplayed: tally.secondRunBeganWith(query) === batchId }))
  show.say(
    `Replayed after the kill: ${replayed.map(({ query, batchId, isReplayed }) => `batch ${isReplayed ? batchId : 'none (unexpected)'} ${query.replace('-', ' ')}`).join(', ')}. ${seconds(streamedMs)} for the streams, ${seconds(performance.now() - startedAtMs)} in all.`,
  )
  show.say(`Delta table: ${relative(process.cwd(), table) || table}; the topic ${outputTopic} went with its broker.`)
  const isGood = comparisons.every(({ same, views }) => same && views === viewsTotal) && replayed.every(({ isReplayed }) => isReplayed)
  return isGood ? 0 : 1
}

function endedEarly(worker: Worker): Promise<never> {
  return worker.ended.then((how) => Promise.reject(new Error(`the worker ended before the stream did: ${how}`)))
}
function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
