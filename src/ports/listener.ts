import type { Join, ServerMessage } from '../core/protocol/messages.ts'
import type { Channel } from './channel.ts'

/** Accepts the connections of workers. */
export interface Listener {
  /** Sets the one receiver of workers that have proved that they know the run's token. Workers that connected before are kept for it. */
  onArrival(receive: (channel: Channel<ServerMessage>, join: Join) => void): void
  /** A secret that can't be guessed; a worker sends it when it joins again, to be recognized. */
  newSession(): string
}
