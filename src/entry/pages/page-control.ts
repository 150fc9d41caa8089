import { resolve } from 'node:path'
import { type ControlCommand, parseCommand } from '../../core/control/commands.ts'
import { describeControl } from '../../core/control/control-text.ts'
import { BlockwiseError } from '../../core/errors.ts'
import type { ActionAnswer, ActionTree } from '../../ports/resource.ts'
import { ownCommand } from '../own-command.ts'
import { sendCommand } from '../run-folder/control/send-command.ts'

const DISABLED = 'This page only shows the run; to control it here, start the run with --dashboard-control.'

/**
 * What the page of a run may have it do: `control/stop` with `{}`, `control/workers` with `{ "workers": 4 }`,
 * `control/retry` with `{ "task": "smooth" }` or `{}`. `control/reset` with a region says how that is done.
 * @param isAllowed whether the user has asked for it; otherwise everything is refused
 */
export const pageControl = (runFolder: string, isAllowed: boolean): ActionTree => ({
  async act([first, name = '', ...more], body) {
    if (first !== 'control' || more.length > 0) return undefined
    if (!isAllowed) return { status: 403, body: { error: DISABLED } }
    const fields = typeof body === 'object' && body !== null ? body : {}
    switch (name) {
      case 'stop':
        return carryOut(runFolder, { type: 'stop', now: false })
      case 'workers':
        return carryOut(runFolder, { ...fields, type: 'scale' })
      case 'retry': {
        const { task: taskId } = fields as { readonly task?: unknown }
        return carryOut(runFolder, { type: 'retry', taskId })
      }
      case 'reset':
        return { status: 409, body: { error: howToReset(runFolder, fields) } }
      default:
        return undefined
    }
  },
})

/** Blocks that are done may be read by running ones at any moment, so they can be forgotten only while the run does not run. */
function howToReset(
  runFolder: string,
  { offset, shape }: { readonly offset?: unknown; readonly shape?: unknown },
): string {
  const region = [offset, shape].every((numbers) => Array.isArray(numbers) && numbers.every(Number.isSafeInteger))
    ? [`${offset}:${shape}`]
    : ['OFFSET:SHAPE']
  const command = ownCommand('reset', resolve(runFolder), '--roi', ...region)
  return `Blocks that are done can't be done again while the run is running. Stop it, then forget them: ${command}; its command does them again.`
}

async function carryOut(runFolder: string, request: object): Promise<ActionAnswer> {
  let command: ControlCommand
  try {
    command = parseCommand(request)
  } catch (error) {
    return refusal(400, error)
  }
  try {
    const text = describeControl(await sendCommand(runFolder, command))
    return { status: 200, body: { text: `${text.charAt(0).toUpperCase()}${text.slice(1)}.` } }
  } catch (error) {
    return refusal(409, error)
  }
}

function refusal(status: number, error: unknown): ActionAnswer {
  if (error instanceof BlockwiseError) return { status, body: { error: error.message } }
  throw error
}
