import type { WireError } from '../../../core/errors.ts'
import type { WorkerExit } from '../../../ports/worker-launcher.ts'
import type { Leases } from '../leases.ts'
import type { RunTally } from '../run-tally.ts'
import type { RunningPipeline } from '../running-pipeline.ts'
import { isOnItsOwn, type Session } from './session.ts'
import type { WorkerRestarts } from './worker-restarts.ts'

/** How long the last messages of a worker that has ended may take to come. */
const LAST_WORDS_MS = 1000
/** How long the end of a run waits for workers whose links are broken just then. */
const FAREWELL_MS = 2000
/** How long a worker that was killed may take to be gone before it is given up. */
const KILL_WAIT_MS = 5000

/** How the workers of a run end: they leave, die, are lost or ended, and their blocks go to others. */
export class WorkerDepartures {
  readonly #run: RunningPipeline
  readonly #leases: Leases
  readonly #restarts: WorkerRestarts
  readonly #tally: RunTally
  #cancelGrace: (() => void) | undefined

  constructor(run: RunningPipeline, leases: Leases, restarts: WorkerRestarts, tally: RunTally) {
    this.#run = run
    this.#leases = leases
    this.#restarts = restarts
    this.#tally = tally
  }

  /** Ends a worker at once, as far as that can be done. */
  endWorker(session: Session, reason: WireError): void {
    session.killed ??= reason
    const exit = { reason: session.killed.message, lastOutput: '' }
    if (session.worker === undefined) {
      if (isOnItsOwn(session)) this.endSession(session, exit)
      return
    }
    session.worker.kill()
    session.cancelAway?.()
    session.cancelAway = this.#run.options.clock.after(KILL_WAIT_MS, () => this.endSession(session, exit))
  }

  /** The link to a worker has ended: it has left, died, or comes back. */
  linkEnded(session: Session): void {
    delete session.channel
    if (session.status === 'over') return
    session.status = 'away'
    this.#leases.forgetIdle(session)
    session.worker?.onLink?.(session.saidGoodbye ? 'left' : 'out')
    const { reconnectMs = 10_000, clock } = this.#run.options
    if (session.exit !== undefined) {
      this.endSession(session, session.exit)
    } else if (session.saidGoodbye && isOnItsOwn(session)) {
      this.endSession(session, { reason: 'it left', lastOutput: '' })
    } else if (isOnItsOwn(session) && this.#run.phase !== 'running' && session.leases.length === 0) {
      this.#waitForFarewell(session)
    } else if (session.isRemote && session.saidGoodbye) {
      // It should be about to exit; something in it may keep it from that.
      session.cancelAway = clock.after(KILL_WAIT_MS, () => session.worker?.kill())
    } else if (session.isRemote && session.killed === undefined) {
      session.cancelAway?.()
      session.cancelAway = clock.after(reconnectMs, () =>
        this.endWorker(session, {
          code: 'WORKER_DIED',
          message: `Worker ${session.id} on ${session.host} was lost: its connection ended and it did not come back within ${reconnectMs / 1000} s.`,
        }),
      )
    }
    this.#run.control.finishIfDone()
  }

  /** A started worker has ended; what it sent last may still be on its way. */
  takeExit(session: Session, exit: WorkerExit): void {
    session.exit = exit
    if (session.channel === undefined || !session.isRemote) {
      this.endSession(session, exit)
      return
    }
    session.cancelAway?.()
    session.cancelAway = this.#run.options.clock.after(LAST_WORDS_MS, () => this.endSession(session, exit))
  }

  endSession(session: Session, exit: WorkerExit): void {
    if (session.status === 'over') return
    session.status = 'over'
    session.cancelTimeout?.()
    session.cancelAway?.()
    session.channel?.close()
    this.#run.remove(session)
    this.#leases.forgetIdle(session)
    const task = session.notSetUp ?? session.leases[0]?.task
    const leftOrderly = session.saidGoodbye && session.killed === undefined
    // At the end of a run no one is to blame for what was cut short.
    const isBlamed = !leftOrderly && !session.isMissed && this.#run.phase === 'running'
    this.#leases.loseLeases(session, isBlamed ? (session.killed ?? deathError(session, exit)) : undefined)
    this.#leases.freeResources(session)
    this.#restarts.replace(session, task, exit, isBlamed)
    this.#tally.addWorker(session)
    this.#leases.handOut()
    this.#run.control.finishIfDone()
  }

  /** One whose link broke just at the end would look for this run for minutes: it is told when it comes back soon. */
  #waitForFarewell(session: Session): void {
    session.cancelAway?.()
    session.cancelAway = this.#run.options.clock.after(FAREWELL_MS, () =>
      this.endSession(session, { reason: 'the run ended', lastOutput: '' }),
    )
  }

  /** Sends all workers away that have nothing more to do, and those that have soon. */
  drain(): void {
    for (const session of [...this.#run.sessions.values()]) {
      // One that has not said hello yet holds nothing: it need not finish starting. Nor need one that lost its link.
      if (session.status === 'starting' || (session.status === 'away' && session.leases.length === 0)) {
        if (isOnItsOwn(session)) this.#waitForFarewell(session)
        else session.worker?.kill()
      } else session.channel?.send({ type: 'drain' })
    }
    this.#cancelGrace = this.#run.options.clock.after(this.#run.options.stopGraceMs ?? 5000, () => {
      for (const session of [...this.#run.sessions.values()]) {
        this.endWorker(session, { code: 'INTERRUPTED', message: 'The run was stopped.' })
      }
    })
  }

  [Symbol.dispose](): void {
    this.#cancelGrace?.()
  }
}

function deathError(session: Session, exit: WorkerExit): WireError {
  const output = exit.lastOutput === '' ? '' : `; its last output: ${exit.lastOutput}`
  return { code: 'WORKER_DIED', message: `Worker ${session.id} died (${exit.reason})${output}` }
}
