import type { WireError } from '../../../../core/errors.ts'
import type { BlockFailure } from '../../../../core/events.ts'
import { subtractCoordinates } from '../../../../core/geometry/coordinate.ts'
import type { VoxelPlacement } from '../../../../core/geometry/placement.ts'
import { type Roi, showSlice } from '../../../../core/geometry/roi.ts'
import { showRoiInNm } from '../../../../core/geometry/roi-text.ts'
import type { WorldUnit } from '../../../../core/geometry/world-unit.ts'
import { groupFailures } from '../../../../core/text/error-groups.ts'
import { reasonFirst } from '../../../../core/text/error-reason.ts'
import { showWhole } from '../../../../core/text/numbers.ts'
import { printable, printableLine } from '../../../../core/text/printable.ts'
import type { TaskResult } from '../../../../runtime/coordinator/run-result.ts'
import { messageAndPlace } from '../../../../runtime/tasks/error-place.ts'
import type { PlannedTask } from '../../../../runtime/tasks/planned-task.ts'
import { voxelsAcross } from '../../../../runtime/volumes/volume-array.ts'
import { voxelsOf } from '../../../run-folder/run-place.ts'
import { type Screen, wrapped } from '../../layout.ts'
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

/** A failed block as users read it. */
export interface ShownFailure {
  /** `smooth/3` */
  readonly block: string
  readonly attempts: number
  readonly error: WireError
  readonly region: ShownRegion
  /** The worker of the last attempt, where no log is named. */
  readonly worker?: string
  readonly logFile?: string
}

/** The failures of a task. */
export interface ShownFailures {
  readonly id: string
  /** Why the task was abandoned. */
  readonly error?: WireError | undefined
  /** Sorted by block. */
  readonly failures: readonly ShownFailure[]
  /** How many blocks failed, if that is more than there are failures. */
  readonly failed?: number
}

/** Prints the failed blocks of a task, grouped by error, with the regions that they did not write. */
export function reportFailures(task: TaskResult, planned: PlannedTask | undefined, flags: RunFlags): void {
  const failures = task.failures.map((failure) => ({ ...failure, region: plannedRegion(failure, planned) }))
  const shown = { id: task.id, error: task.error, failures }
  const options = { screen: process.stderr, stacks: flags.logLevel === 'debug' }
  for (const text of describeFailures(shown, options)) process.stderr.write(`${text}\n`)
}

/**
 * The failures of a task, grouped by error, each with the regions that its blocks did not write: texts of one line or several.
 * @param options `stacks`: with the stack of an error of each group. @default false
 */
export function describeFailures(
  { id, error, failures, failed = failures.length }: ShownFailures,
  { screen, stacks = false }: { readonly screen: Screen & NodeJS.WriteStream; readonly stacks?: boolean },
): string[] {
  const line = (text: string) => wrapped(text, 4, screen)
  /** The first line is the reason; what follows, such as the last output of a program, is shown below it. */
  const all = (verb: string, [first, ...others]: readonly string[]) => [
    line(`${paint('red', verb, screen)} ${printableLine(first ?? '')}`),
    ...others.map((other) => `    ${printableLine(other)}`),
  ]
  const groups = groupFailures(failures)
  const shown = groups
    .slice(0, MAX_SHOWN_GROUPS)
    .flatMap(({ failures: group, isSame }) => [
      ...all('failed', describeGroup(group, isSame)),
      ...group.slice(0, MAX_SHOWN_REGIONS).map((failure) => line(`  ${failure.block}: ${describeRegion(failure)}`)),
      ...(group.length > MAX_SHOWN_REGIONS
        ? [line(`  … and ${showWhole(group.length - MAX_SHOWN_REGIONS)} more`)]
        : []),
      ...(stacks && group[0].error.stack !== undefined ? [printable(group[0].error.stack)] : []),
    ])
  return [
    ...(error === undefined ? [] : all('abandoned', reasonFirst(error.message))),
    ...shown,
    ...(groups.length > MAX_SHOWN_GROUPS
      ? [line(`… and ${groups.length - MAX_SHOWN_GROUPS} more errors of ${id}`)]
      : []),
    ...(failed > failures.length
      ? [line(`… and ${showWhole(failed - failures.length)} more blocks of ${id} failed`)]
      : []),
  ]
}

/** `smooth/3 after 3 attempts, and 6 more blocks with the same error: … (log: …)`, and the other lines of the error */
function describeGroup([first, ...others]: readonly [ShownFailure, ...ShownFailure[]], isSame: boolean): string[] {
  const { block, attempts, error, logFile, worker } = first
  const what = messageAndPlace(error.message, error.stack)
  const more =
    others.length === 0
      ? ''
      : `, and ${showWhole(others.length)} more ${others.length === 1 ? 'block' : 'blocks'} with ${isSame ? 'the same' : 'a similar'} error`
  const where = logFile === undefined ? (worker === undefined ? '' : ` (by ${worker})`) : ` (log: ${logFile})`
  const [reason, ...rest] = reasonFirst(what)
  return [`${block} after ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}${more}: ${reason}${where}`, ...rest]
}

const describeRegion = ({ region: { nm, voxels } }: ShownFailure): string =>
  `${nm} nm${voxels === undefined ? '' : `, voxels ${voxels}`}`

/** The failures of a task for programs: each with its region, and the errors with their blocks. */
export const failureDocument = (task: TaskResult, planned: PlannedTask | undefined) => ({
  failures: task.failures.map((failure) => ({ ...failure, region: plannedRegion(failure, planned) })),
  ...(task.failures.length === 0 ? {} : { errors: errorsOf(task.failures) }),
})

/** Failures grouped by their error, for programs. */
export const errorsOf = (failures: readonly Pick<ShownFailure, 'block' | 'error'>[]) =>
  groupFailures(failures).map(({ failures: group }) => ({
    code: group[0].error.code,
    example: group[0].error.message,
    count: group.length,
    blocks: group.slice(0, MAX_LISTED_BLOCKS).map(({ block }) => block),
  }))

const plannedRegion = ({ writeRoi }: BlockFailure, planned: PlannedTask | undefined): ShownRegion =>
  regionOf(writeRoi, planned?.unit ?? 'nm', planned === undefined ? undefined : voxelsOf(planned))

/** @param voxels in which users know the region, if any */
export function regionOf(region: Roi, unit: WorldUnit, voxels: VoxelPlacement | undefined): ShownRegion {
  const nm = showRoiInNm(region, unit)
  return voxels === undefined ? { nm } : { nm, voxels: sliceOf(voxels, region) }
}

/** `0:20,100:200,100:200` */
function sliceOf(array: VoxelPlacement, { offset, shape }: Roi): string {
  const start = voxelsAcross(array, subtractCoordinates(offset, array.offset))
  return showSlice({ offset: start, shape: voxelsAcross(array, shape) })
}
