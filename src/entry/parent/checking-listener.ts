import type { Join, ServerMessage, WorkerMessage } from '../../core/protocol/messages.ts'
import { parseWorkerMessage } from '../../core/protocol/parse.ts'
import type { Channel } from '../../ports/channel.ts'
import type { Listener } from '../../ports/listener.ts'
import { type AskDone, LeaseChecks } from './lease-checks.ts'

/** A listener whose workers get only blocks that are not done. @param ask asks about the blocks of a lease */
export function checkingListener(listener: Listener, ask: AskDone): Listener {
  /** What is kept of a worker while it has no connection, by its session. */
  const sessions = new Map<string, WorkerEnd>()
  return {
    newSession: () => listener.newSession(),
    onArrival(receive) {
      listener.onArrival((channel, join) => {
        const known = join.session === undefined ? undefined : sessions.get(join.session)
        const worker = known ?? new WorkerEnd(ask)
        receive(
          worker.connect(channel, join, (session) => sessions.set(session, worker)),
          join,
        )
      })
    },
  }
}

/** A worker, over all its connections. */
class WorkerEnd {
  readonly #checks: LeaseChecks
  #channel: Channel<ServerMessage> | undefined
  #receive: (message: WorkerMessage) => void = () => {}

  constructor(ask: AskDone) {
    this.#checks = new LeaseChecks(ask, {
      toWorker: (message) => this.#channel?.send(message),
      toCoordinator: (message) => this.#receive(message),
    })
  }

  /** @returns the channel as the coordinator is to see it */
  connect(channel: Channel<ServerMessage>, join: Join, onSession: (session: string) => void): Channel<ServerMessage> {
    this.#channel = channel
    this.#receive = () => {}
    this.#checks.receive(join)
    return {
      closed: channel.closed,
      close: () => channel.close(),
      send: (message) => {
        if (message.type === 'welcome') onSession(message.session)
        if (this.#channel === channel) this.#checks.send(message)
        else channel.send(message)
      },
      onMessage: (receive) => {
        this.#receive = receive
        channel.onMessage((raw) => {
          if (this.#channel === channel) this.#take(raw, receive)
        })
      },
    }
  }

  #take(raw: unknown, receive: (message: unknown) => void): void {
    let message: WorkerMessage
    try {
      message = parseWorkerMessage(raw)
    } catch {
      // The coordinator refuses it.
      receive(raw)
      return
    }
    this.#checks.receive(message)
  }
}
