import type { Hello, ServerMessage } from '../core/protocol/messages.ts'
import type { Channel } from './channel.ts'

/** Accepts the connections of workers. */
export interface Listener {
  /** Sets the one receiver of workers that have shown the run's token. Workers that connected before are kept for it. */
  onArrival(receive: (channel: Channel<ServerMessage>, hello: Hello) => void): void
  /** A secret that can't be guessed; a worker sends it to prove its identity when it reconnects. */
  newSession(): string
}
