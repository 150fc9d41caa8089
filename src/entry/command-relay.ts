import type { ControlCommand } from '../core/control/commands.ts'
import { ConfigError } from '../core/errors.ts'
import type { ControlEvent } from '../core/events.ts'
import type { CarryOut, CommandSource } from '../ports/command-source.ts'

/** Passes commands to a run, once it is running. */
export class CommandRelay implements CommandSource {
  readonly #receiver = Promise.withResolvers<CarryOut>()

  constructor() {
    this.#receiver.promise.catch(() => {})
  }

  onCommand(carryOut: CarryOut): void {
    this.#receiver.resolve(carryOut)
  }

  /** @throws ConfigError `NOT_RUNNING` if the run has ended; what the run refuses */
  async carryOut(command: ControlCommand): Promise<ControlEvent> {
    return (await this.#receiver.promise)(command)
  }

  /** The run has ended, or could not start. */
  close(): void {
    this.#receiver.reject(new ConfigError('NOT_RUNNING', 'The run could not start.'))
  }
}
