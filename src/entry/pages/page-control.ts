import { type ControlCommand, parseCommand } from '../../core/control/commands.ts'
import { describeControl } from '../../core/control/control-text.ts'
import { BlockwiseError } from '../../core/errors.ts'
import type { ActionAnswer, ActionTree } from '../../ports/resource.ts'
import { sendCommand } from '../run-folder/control/send-command.ts'
import { inNanometers } from '../run-folder/reset-run.ts'
import { readRunDocument } from '../run-folder/run-folder.ts'

const DISABLED = 'This page only shows the run; to control it here, start the run with --dashboard-control.'

/**
 * What the page of a run may have it do: `control/stop` with `{}`, `control/workers` with `{ "workers": 4 }` or `{ "workers": 200, "least": 10 }`,
 * `control/retry` with `{ "task": "smooth" }` or `{}`, `control/reset` with `{ "roi": "0,0,0:400,400,400" }` or `{ "tasks": ["smooth"] }`.
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
        return reset(runFolder, fields)
      default:
        return undefined
    }
  },
})

/** Nothing is reset unless the request says what: an empty one would have all done again. */
async function reset(
  runFolder: string,
  { roi, tasks }: { readonly roi?: unknown; readonly tasks?: unknown },
): Promise<ActionAnswer> {
  const document = readRunDocument(runFolder)
  if (document === undefined || (roi === undefined && tasks === undefined)) {
    return { status: 400, body: { error: 'Name a region (roi) or tasks to do again.' } }
  }
  try {
    const region = typeof roi === 'string' ? await inNanometers(roi, document) : roi
    return await carryOut(runFolder, { type: 'reset', roi: region, tasks, keepWorkers: false })
  } catch (error) {
    return refusal(400, error)
  }
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
