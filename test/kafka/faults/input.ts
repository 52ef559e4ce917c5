import type { KafkaCluster } from '../../../src/kafka/cluster.ts'
import { produce } from '../produce.ts'
import { createTopic } from '../topics.ts'
import { transaction } from '../transactions.ts'
import type { Given } from './anomalies.ts'
import { plainBatches } from './broker-files.ts'

const [partitions, portions, perPortion, abortedPerPortion] = [2, 4, 25, 5]
const closingNumber = 100_000
/** Records that are due. */
export const recordsOfRound = partitions * portions * perPortion

export interface Input {
  readonly committed: readonly Given[]
  readonly aborted: ReadonlySet<number>
}

/**
 * Makes a topic with what a round is to read: numbers from 0 on in two partitions, and between them some of transactions that were aborted. With `closing`
 * a last number, far behind the others, closes all windows before it.
 */
export async function fillInput(cluster: KafkaCluster, brokerFolder: string, topic: string, closing: boolean): Promise<Input> {
  await createTopic(cluster, topic, partitions)
  const aborted = new Set<number>()
  for (let portion = 0; portion < portions; portion++) {
    for (let partition = 0; partition < partitions; partition++) {
      const numbers = numbersOf(partition, portion)
      await produce(
        cluster,
        topic,
        numbers.map((n) => ({ partition, value: String(n) })),
      )
    }
    const own = Array.from({ length: abortedPerPortion }, (_, i) => 1_000_000 + portion * abortedPerPortion + i)
    for (const n of own) aborted.add(n)
    await transaction(cluster, topic, own.map(String), 'abort')
  }
  if (closing) await produce(cluster, topic, [{ partition: partitions - 1, value: String(closingNumber) }])
  const committed: Given[] = []
  for (let partition = 0; partition < partitions; partition++) {
    const firsts = plainBatches(brokerFolder, topic, partition).slice(0, portions)
    if (firsts.length !== portions) throw new Error(`${topic}-${partition} has ${firsts.length} batches, and ${portions} were sent`)
    for (const [portion, first] of firsts.entries()) {
      committed.push(...numbersOf(partition, portion).map((n, i) => ({ n, partition, offset: first + i })))
    }
  }
  return { committed, aborted }
}
function numbersOf(partition: number, portion: number): number[] {
  const first = (portion * partitions + partition) * perPortion
  return Array.from({ length: perPortion }, (_, i) => first + i)
}
