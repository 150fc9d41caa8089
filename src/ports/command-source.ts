import type { ControlCommand } from '../core/control/commands.ts'
import type { ControlEvent } from '../core/events.ts'

/** Carries out a command. Rejects with a ConfigError, and changes nothing, if the run can't do that. */
export type CarryOut = (command: ControlCommand) => Promise<ControlEvent>

/** A source of commands for a running run. */
export interface CommandSource {
  /** Sets the receiver; commands that came before it wait for it. */
  onCommand(carryOut: CarryOut): void
}
