import type { WireError } from '../../../core/errors.ts'
import { withLastOutput } from '../../../core/text/error-reason.ts'
import { showBytes } from '../../../core/text/numbers.ts'
import type { WorkerDecision, WorkerEvent, WorkerExit, WorkerFate } from '../../../core/workers/worker-state.ts'
import type { Crew } from '../control/crew.ts'
import type { RunningPipeline } from '../running-pipeline.ts'
import type { HostWatch } from './health/host-watch.ts'
import type { MemoryRetries } from './memory-retries.ts'
import type { Worker } from './pool.ts'
import type { LinksParts } from './worker-links.ts'
import type { WorkerRestarts } from './worker-restarts.ts'

export interface DeparturesParts extends LinksParts {
  readonly crew: Crew
  readonly restarts: WorkerRestarts
  readonly memory: MemoryRetries
  readonly hosts: HostWatch
}

/** Carries out the decisions about workers that leave, die, are lost or are ended. */
export class WorkerDepartures {
  readonly #run: RunningPipeline
  readonly #parts: DeparturesParts
  #cancelGrace: (() => void) | undefined

  constructor(run: RunningPipeline, parts: DeparturesParts) {
    this.#run = run
    this.#parts = parts
  }

  /** Something has happened to a worker. */
  handle(worker: Worker, event: WorkerEvent): void {
    for (const decision of this.#parts.lives.step(worker, event)) this.#carryOut(worker, decision)
  }

  #carryOut(worker: Worker, decision: WorkerDecision): void {
    const { connections, launched, leases, dispatcher } = this.#parts
    switch (decision.type) {
      case 'send-drain':
        connections.send(worker, { type: 'drain' })
        return
      case 'take-blocks':
        leases.lose(worker, { mayStillRun: false })
        return
      case 'note-disconnected':
        dispatcher.forgetIdle(worker)
        launched.noteConnection(worker, decision.hasLeft ? 'left' : 'out')
        return
      case 'kill':
        launched.kill(worker)
        return
      case 'bury':
        this.#bury(worker, decision)
        return
      default:
        decision satisfies never
    }
  }

  #bury(worker: Worker, { exit, fate, mayStillRun }: Extract<WorkerDecision, { type: 'bury' }>): void {
    const {
      book,
      connections,
      dispatcher,
      heartbeats,
      launched,
      leases,
      lives,
      memory,
      restarts,
      rests,
      setups,
      stalls,
      tally,
    } = this.#parts
    connections.close(worker)
    this.#run.remove(worker)
    dispatcher.forgetIdle(worker)
    const task = setups.failedTask(worker) ?? book.leasesOf(worker)[0]?.task
    const isSentAway = dispatcher.isSentAway(worker)
    const blame = this.#blameOf(worker, exit, fate)
    // A death in a block is counted with the block.
    if (blame !== undefined && book.leasesOf(worker).length === 0) this.#parts.hosts.note(worker, { failed: 1 })
    leases.lose(worker, { error: blame, mayStillRun })
    dispatcher.release(worker)
    const isUseless = rests.end(worker)
    restarts.replace({ worker, task, exit, fate, isBlamed: blame !== undefined, isSentAway, isUseless })
    memory.noteEnded(worker, exit)
    tally.endWorker(worker, connections.hostOf(worker))
    for (const part of [book, connections, heartbeats, stalls, setups, launched, lives]) part.forget(worker)
    dispatcher.handOut()
  }

  /**
   * The reason for a worker's failure; undefined if it did not fail. At the end of a run, interrupted workers have not failed, nor has a
   * worker that was sent away while it had no blocks.
   */
  #blameOf(worker: Worker, exit: WorkerExit, fate: WorkerFate): WireError | undefined {
    const { book, crew } = this.#parts
    if (this.#run.phase !== 'running') return undefined
    if (crew.isLeaving(worker) && book.leasesOf(worker).length === 0) return undefined
    const { id } = worker
    switch (fate.how) {
      case 'left':
      case 'missed':
        return undefined
      case 'ended':
        return fate.reason
      case 'died':
        return {
          code: exit.outOfMemory === undefined ? 'WORKER_DIED' : 'OUT_OF_MEMORY',
          message: withLastOutput(`Worker ${id} died (${exit.reason}${this.#memoryOf(worker, exit)})`, exit.lastOutput),
        }
      default:
        return fate satisfies never
    }
  }

  /** What a worker that ran out of memory was given, and what it used. */
  #memoryOf(worker: Worker, { outOfMemory }: WorkerExit): string {
    if (outOfMemory === undefined) return ''
    const { asked, used = this.#parts.tally.peakMemoryOf(worker) } = outOfMemory
    const parts = [...(asked === undefined ? [] : [`it had ${asked}`])]
    if (used > 0) parts.push(`it used ${outOfMemory.used === undefined ? 'at least ' : ''}${showBytes(used)}`)
    return parts.length === 0 ? '' : `; ${parts.join(', and ')}`
  }

  /** Lets all workers leave as soon as their running blocks are done. Workers that take too long are ended. */
  drain(): void {
    this.#parts.rests.endAll()
    for (const worker of [...this.#run.workers.values()]) this.handle(worker, { type: 'drain' })
    const { clock, stopGraceMs = 5000 } = this.#run.options
    this.#cancelGrace = clock.after(stopGraceMs, () => this.endAll())
  }

  /** Ends all workers, whatever they are doing. */
  endAll(): void {
    const reason: WireError = { code: 'INTERRUPTED', message: 'The run was stopped.' }
    for (const worker of [...this.#run.workers.values()]) this.#run.control.handle(worker, { type: 'end', reason })
  }

  [Symbol.dispose](): void {
    this.#cancelGrace?.()
  }
}
