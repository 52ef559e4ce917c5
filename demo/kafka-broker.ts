import { Broker } from '../test/kafka/broker.ts'
import { produce } from '../test/kafka/produce.ts'
import { createTopic, openCluster } from '../test/kafka/topics.ts'
import { closingText, outputTopic, viewsTopic, viewsTotal, viewText } from './kafka-views.ts'

export { installBroker, whyNoBroker } from '../test/kafka/install.ts'

const partitions = 4
const portion = 8000
/** So that the whole takes about eight seconds. */
const portionMs = (8000 * portion) / viewsTotal

/** A real broker with the demo's topics, and a producer that sends views as they come about. */
export async function startBroker() {
  const broker = await Broker.start()
  const cluster = await openCluster(broker.bootstrap)
  await createTopic(cluster, viewsTopic, partitions)
  await createTopic(cluster, outputTopic, partitions)
  const send = (values: readonly string[]) =>
    produce(
      cluster,
      viewsTopic,
      values.map((value, i) => ({ partition: i % partitions, value })),
    )
  return {
    bootstrap: broker.bootstrap,
    async sendViews(): Promise<void> {
      for (let first = 0; first < viewsTotal; first += portion) {
        const nextMs = performance.now() + portionMs
        await send(Array.from({ length: portion }, (_, i) => viewText(first + i)))
        await new Promise((resolve) => setTimeout(resolve, Math.max(0, nextMs - performance.now())))
      }
    },
    /** Into every partition: a view so late that all windows before it close. */
    sendClosing: () => send(Array.from({ length: partitions }, () => closingText)),
    async stop(): Promise<void> {
      await cluster.close()
      await broker.stop()
    },
  }
}
