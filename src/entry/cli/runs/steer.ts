import { basename } from 'node:path'
import { Command } from 'commander'
import type { ControlCommand } from '../../../core/control/commands.ts'
import { describeControl } from '../../../core/control/control-text.ts'
import type { ControlEvent } from '../../../core/events.ts'
import { sendCommand } from '../../run-folder/control/send-command.ts'
import { findRunFolder } from '../../run-folder/run-context.ts'
import { runsHome } from '../../run-folder/run-place.ts'
import { type CommonOptions, commonOptions, RUN_ARGUMENT } from '../options.ts'
import { printJson, say } from '../output.ts'

export interface SteerFlags extends CommonOptions {
  readonly runDir?: string
}

/** A command that steers a running run, without its own flags. */
export const steeringCommand = (name: string, description: string): Command =>
  commonOptions(
    new Command(name)
      .description(description)
      .argument('<run>', RUN_ARGUMENT)
      .option('--run-dir <folder>', 'folder that contains the runs (default: .bellis)'),
  )

/** Has a running run carry out a command, and prints what happened. */
export async function steer(run: string, command: ControlCommand, flags: SteerFlags): Promise<void> {
  const folder = findRunFolder(run, runsHome(flags.runDir))
  printSteered(folder, await sendCommand(folder, command), flags)
}

/** Prints what a command did to a running run. */
export function printSteered(folder: string, event: ControlEvent, flags: SteerFlags): void {
  const name = basename(folder)
  if (flags.json) printJson({ run: name, folder, ...event })
  say(flags, `${name}: ${describeControl(event)}.`)
}
