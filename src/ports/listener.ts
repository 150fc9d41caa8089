import type { Hello, ServerMessage } from '../core/protocol/messages.ts'
import type { Channel } from './channel.ts'

/** Where workers come in by themselves. */
export interface Listener {
  /** The one receiver of workers that showed the run's token; those who come before it is set are kept for it. */
  onArrival(receive: (channel: Channel<ServerMessage>, hello: Hello) => void): void
  /** A text that no one guesses: what a worker shows to be the same as before. */
  newSession(): string
}
