import type { StepEvent } from '../../../src/query/steps.ts'
import type { Fault, FaultKind } from './plan.ts'
import type { AnswerFate, Interference, RequestFate } from './proxy.ts'
import { TransactionsSeen } from './transactions-seen.ts'
import type { Request } from './wire.ts'
import type { WorkerProcess } from './worker-process.ts'

/** A fault that struck. */
export interface Struck {
  readonly kind: FaultKind
  /** `EndTxn answer`, `before sink/commit`. */
  readonly place: string
  readonly how: string
  /** A transaction of the client was open then: from the first request that adds to it until the client knows how it ended. */
  readonly inTransaction: boolean
  /** The worker was between the first step and the last of a batch then. */
  readonly inBatch: boolean
}
/** What a round lets faults do. */
export interface Victims {
  workerOf(clientId: string): WorkerProcess | undefined
  restartBroker(signal: 'SIGTERM' | 'SIGKILL'): void
  /** Stops the worker past its transaction's timeout, and lets another take over, or not. Resolves when it goes on. */
  freeze(worker: WorkerProcess, takeover: 'at once' | 'after the timeout' | 'never'): Promise<void>
}
const pass = { kind: 'pass' } as const
/** So many transactions or batches a fault waits for its place. */
const patience = 2

/** Strikes with the faults of a round's plan, each at the first place of its kind that comes when it is due. */
export class Faults implements Interference {
  readonly struck: Struck[] = []
  readonly transactions = new TransactionsSeen()
  /** Batches that were begun, by all workers. */
  batchesBegun = 0
  #waiting: readonly Fault[]
  readonly #victims: Victims
  readonly #clock: 'transactions' | 'batches'
  readonly #longMs: number
  /** `longMs`: of the delays that are longer than anything waits. */
  constructor(plan: readonly Fault[], clock: 'transactions' | 'batches', longMs: number, victims: Victims) {
    this.#waiting = plan
    this.#longMs = longMs
    this.#victims = victims
    this.#clock = clock
  }

  async request(request: Request): Promise<RequestFate> {
    const worker = this.#victims.workerOf(request.clientId)
    if (!worker) return pass
    this.transactions.request(request)
    const fault = this.#dueAt(request, 'request', worker)
    if (!fault) return pass
    const place = `${request.api} request`
    switch (fault.kind) {
      case 'kill':
        return this.#killAtRequest(fault, worker, place)
      case 'broker restart':
        this.#restart(fault, worker, place, fault.variant % 2 === 0 ? 0 : 3 * fault.share)
        return pass
      case 'freeze': {
        const goesOn = this.#freeze(fault, worker, place)
        // the request of the frozen process comes when it wakes, after all that another did meanwhile
        if (fault.variant % 2 === 0) await goesOn
        return pass
      }
      case 'delay':
        await this.#delay(fault, worker, place)
        return pass
      case 'duplicate': {
        const answer = fault.variant % 2 === 0 ? 'first' : 'second'
        this.#note(fault, worker, place, `the broker gets it twice, the client the ${answer} answer`)
        return { kind: 'twice', answer }
      }
      case 'drop': {
        const deliverAfterMs = fault.variant % 3 === 0 ? null : Math.round(400 * fault.share)
        const how = deliverAfterMs === null ? 'lost with the connection' : `connection cut, delivered ${deliverAfterMs} ms later`
        this.#note(fault, worker, place, how)
        return { kind: 'cut', deliverAfterMs }
      }
    }
  }

  async answer(request: Request): Promise<AnswerFate> {
    const worker = this.#victims.workerOf(request.clientId)
    if (!worker) return pass
    const fault = this.#dueAt(request, 'answer', worker)
    if (!fault) return pass
    const place = `${request.api} answer`
    switch (fault.kind) {
      case 'kill':
        this.#note(fault, worker, place, 'before it came')
        worker.kill()
        return { kind: 'cut' }
      case 'broker restart':
        this.#restart(fault, worker, place, 0)
        return fault.variant % 2 === 0 ? { kind: 'cut' } : pass
      case 'freeze':
        void this.#freeze(fault, worker, place)
        return pass
      case 'delay':
        await this.#delay(fault, worker, place)
        return pass
      case 'duplicate':
        this.#note(fault, worker, place, 'the client gets it twice')
        return { kind: 'twice' }
      case 'drop':
        this.#note(fault, worker, place, 'the broker has done it, and the connection is cut')
        return { kind: 'cut' }
    }
  }
  delivered(request: Request): void {
    this.transactions.delivered(request)
  }

  /** The worker stands at the step until this resolves. */
  async step(worker: WorkerProcess, { step, when }: StepEvent): Promise<void> {
    if (step === 'batch/run' && when === 'before') this.batchesBegun++
    const fault = this.#due(({ place }) => place.kind === 'step' && place.step === step && place.when === when)
    if (!fault) return
    const place = `${when} ${step}`
    if (fault.kind === 'kill') await this.#killAtStep(fault, worker, place)
    else if (fault.kind === 'broker restart') this.#restart(fault, worker, place, 0)
    // frozen at the step, or a little behind it
    else if (fault.kind === 'freeze' && fault.variant % 2 === 0) void this.#freeze(fault, worker, place)
    else if (fault.kind === 'freeze') setTimeout(() => void this.#freeze(fault, worker, place), 6 * fault.share)
  }

  #dueAt({ api, clientId }: Request, side: 'request' | 'answer', { isInBatch }: WorkerProcess): Fault | undefined {
    const isInside = this.#clock === 'transactions' ? this.transactions.isOpen(clientId) : isInBatch
    return this.#due(
      ({ place }, isOverdue) =>
        // where its own message does not come, it takes the next one inside
        place.kind === 'message' && ((place.side === side && place.api === api) || (isOverdue && isInside)),
    )
  }
  #due(fits: (fault: Fault, isOverdue: boolean) => boolean): Fault | undefined {
    const now = this.#clock === 'transactions' ? this.transactions.begun : this.batchesBegun
    const fault = this.#waiting.find((each) => each.notBefore <= now && fits(each, each.notBefore + patience <= now))
    if (fault) this.#waiting = this.#waiting.filter((each) => each !== fault)
    return fault
  }
  #note({ kind }: Fault, worker: WorkerProcess, place: string, how: string): void {
    this.struck.push({ kind, place, how, inTransaction: this.transactions.isOpen(worker.clientId), inBatch: worker.isInBatch })
  }

  #killAtRequest(fault: Fault, worker: WorkerProcess, place: string): RequestFate {
    if (fault.variant < 2) {
      this.#killLater(fault, worker, place, 5 * fault.share)
      return pass
    }
    this.#note(fault, worker, place, fault.variant < 4 ? 'after it was sent' : 'with it on the way, lost')
    worker.kill()
    return fault.variant < 4 ? pass : { kind: 'cut', deliverAfterMs: null }
  }
  async #killAtStep(fault: Fault, worker: WorkerProcess, place: string): Promise<void> {
    if (fault.variant % 2 === 1) return this.#killLater(fault, worker, place, 8 * fault.share)
    this.#note(fault, worker, place, 'there')
    worker.kill()
    await worker.ended
  }
  #killLater(fault: Fault, worker: WorkerProcess, place: string, afterMs: number): void {
    setTimeout(() => {
      if (!worker.isAlive) return
      this.#note(fault, worker, place, `${afterMs.toFixed(1)} ms later`)
      worker.kill()
    }, afterMs)
  }
  #restart(fault: Fault, worker: WorkerProcess, place: string, afterMs: number): void {
    const signal = fault.variant < 4 ? 'SIGKILL' : 'SIGTERM'
    const strike = () => {
      this.#note(fault, worker, place, signal)
      this.#victims.restartBroker(signal)
    }
    if (afterMs === 0) strike()
    else setTimeout(strike, afterMs)
  }
  async #freeze(fault: Fault, worker: WorkerProcess, place: string): Promise<void> {
    if (!worker.isAlive || worker.isFrozen) return
    const takeover = fault.variant % 3 === 2 ? 'never' : fault.share < 0.5 ? 'at once' : 'after the timeout'
    this.#note(fault, worker, place, `another takes over ${takeover}`)
    await this.#victims.freeze(worker, takeover)
  }
  async #delay(fault: Fault, worker: WorkerProcess, place: string): Promise<void> {
    // one in six is longer than the client waits, and than its transaction lives
    const ms = fault.variant === 5 ? this.#longMs : Math.round(5 + 250 * fault.share)
    this.#note(fault, worker, place, `${ms} ms`)
    await new Promise((resolve) => setTimeout(resolve, ms))
  }
}
