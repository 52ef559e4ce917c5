import type { Request } from './wire.ts'

/**
 * Which transaction each client is in, as seen from its requests. One is open from the first request that adds to it until the client
 * knows how it ended: a fault in between is a fault inside a transaction.
 */
export class TransactionsSeen {
  readonly #byClient = new Map<string, { isOpen: boolean }>()
  /** How many were begun, by all clients. */
  begun = 0
  /** How many EndTxn answers reached a client. */
  ended = 0

  isOpen(clientId: string): boolean {
    return this.#byClient.get(clientId)?.isOpen ?? false
  }
  get anyIsOpen(): boolean {
    return [...this.#byClient.values()].some(({ isOpen }) => isOpen)
  }
  /** Its process is gone, and whatever was open is nobody's. */
  forget(clientId: string): void {
    this.#byClient.delete(clientId)
  }
  request({ api, clientId }: Request): void {
    if ((api !== 'AddPartitionsToTxn' && api !== 'AddOffsetsToTxn') || this.isOpen(clientId)) return
    this.begun++
    this.#byClient.set(clientId, { isOpen: true })
  }
  delivered({ api, clientId }: Request): void {
    if (api !== 'EndTxn' && api !== 'InitProducerId') return
    if (api === 'EndTxn') this.ended++
    this.#byClient.set(clientId, { isOpen: false })
  }
}
