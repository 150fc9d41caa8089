import type { BlockFailure } from '../../../../core/events.ts'
import { subtractCoordinates } from '../../../../core/geometry/coordinate.ts'
import type { Roi } from '../../../../core/geometry/roi.ts'
import { showRoiInNm } from '../../../../core/geometry/roi-text.ts'
import { groupFailures } from '../../../../core/text/error-groups.ts'
import { printable, printableLine } from '../../../../core/text/printable.ts'
import type { TaskResult } from '../../../../runtime/coordinator/run-result.ts'
import { messageAndPlace } from '../../../../runtime/tasks/error-place.ts'
import type { PlannedTask } from '../../../../runtime/tasks/planned-task.ts'
import { voxelsAcross } from '../../../../runtime/volumes/volume-array.ts'
import { wrapped } from '../../layout.ts'
import type { RunFlags } from '../../options.ts'
import { paint } from '../../output.ts'

const MAX_SHOWN_GROUPS = 20
const MAX_SHOWN_REGIONS = 10
const MAX_LISTED_BLOCKS = 100

/** A region as users read it. */
export interface ShownRegion {
  /** `offset:shape`, as for `--roi`: `0,0,0:1000,400,400`. */
  readonly nm: string
  /** A slice of the output, or of the input of a task without output: `0:20,100:200,100:200`. */
  readonly voxels?: string
}

/** Prints the failed blocks of a task, grouped by error, with the regions that they did not write. */
export function reportFailures(task: TaskResult, planned: PlannedTask | undefined, flags: RunFlags): void {
  const write = (text: string) => process.stderr.write(`${wrapped(text, 4, process.stderr)}\n`)
  /** The first line is the reason; what follows, such as the last output of a program, is shown below it. */
  const writeAll = (verb: string, [first, ...others]: readonly string[]) => {
    write(`${paint('red', verb, process.stderr)} ${printableLine(first ?? '')}`)
    for (const line of others) process.stderr.write(`    ${printableLine(line)}\n`)
  }
  if (task.error !== undefined) writeAll('abandoned', task.error.message.split('\n'))
  const groups = groupFailures(task.failures)
  for (const { failures, isSame } of groups.slice(0, MAX_SHOWN_GROUPS)) {
    const [first, ...others] = failures
    writeAll('failed', describeFailure(first, others.length, isSame))
    for (const failure of failures.slice(0, MAX_SHOWN_REGIONS)) {
      const { nm, voxels } = regionOf(failure, planned)
      write(`  ${failure.block}: ${nm} nm${voxels === undefined ? '' : `, voxels ${voxels}`}`)
    }
    if (failures.length > MAX_SHOWN_REGIONS) write(`  … and ${failures.length - MAX_SHOWN_REGIONS} more`)
    if (flags.logLevel === 'debug' && first.error.stack !== undefined)
      process.stderr.write(`${printable(first.error.stack)}\n`)
  }
  if (groups.length > MAX_SHOWN_GROUPS) write(`… and ${groups.length - MAX_SHOWN_GROUPS} more errors of ${task.id}`)
}

/** `smooth/3 after 3 attempts, and 6 more blocks with the same error: … (log: …)`, and the other lines of the error */
function describeFailure({ block, attempts, error, logFile }: BlockFailure, others: number, isSame: boolean): string[] {
  const what = error.code === 'BLOCK_FAILED' ? messageAndPlace(error.message, error.stack) : error.message
  const more =
    others === 0
      ? ''
      : `, and ${others} more ${others === 1 ? 'block' : 'blocks'} with ${isSame ? 'the same' : 'a similar'} error`
  const log = logFile === undefined ? '' : ` (log: ${logFile})`
  const [reason = '', ...rest] = what.split('\n')
  return [`${block} after ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}${more}: ${reason}${log}`, ...rest]
}

/** The failures of a task for programs: each with its region, and the errors with their blocks. */
export const failureDocument = (task: TaskResult, planned: PlannedTask | undefined) => ({
  failures: task.failures.map((failure) => ({ ...failure, region: regionOf(failure, planned) })),
  ...(task.failures.length === 0
    ? {}
    : {
        errors: groupFailures(task.failures).map(({ failures }) => ({
          code: failures[0].error.code,
          example: failures[0].error.message,
          count: failures.length,
          blocks: failures.slice(0, MAX_LISTED_BLOCKS).map(({ block }) => block),
        })),
      }),
})

function regionOf({ writeRoi }: BlockFailure, planned: PlannedTask | undefined): ShownRegion {
  const [array] = planned === undefined ? [] : [...planned.writes, ...planned.reads]
  const nm = showRoiInNm(writeRoi, planned?.unit ?? 'nm')
  if (array === undefined || array.voxelSize.length !== writeRoi.offset.length) return { nm }
  return { nm, voxels: sliceOf(array, writeRoi) }
}

/** `0:20,100:200,100:200` */
function sliceOf(array: PlannedTask['reads'][number], { offset, shape }: Roi): string {
  const start = voxelsAcross(array, subtractCoordinates(offset, array.offset))
  const length = voxelsAcross(array, shape)
  return start.map((first, axis) => `${first}:${first + (length[axis] as number)}`).join(',')
}
