import { resolve } from 'node:path'
import { mapGridOf } from '../../core/board/cell-map.ts'
import type { DatasetPath, RunDescription } from '../../core/board/summary.ts'
import { ownCommand } from '../own-command.ts'
import { commandLineOf } from '../run-folder/continuation.ts'
import type { RunFollower } from '../run-folder/history/run-follower.ts'
import type { RunDocument } from '../run-folder/run-folder.ts'
import { absolutePath, keptOutputs } from '../run-folder/run-place.ts'

/** What the page of a run shows that stays the same. */
export function describeRun({ run, folder, document, version }: RunFollower): RunDescription {
  const { created, command, tasks } = document
  return {
    version,
    run,
    title: titleOf(document),
    folder: resolve(folder),
    created,
    ...(command === undefined ? {} : { startedWith: commandLineOf(command) }),
    directory: document.directory,
    ...datasetsOf(document),
    tasks: tasks.map(({ id, after, blocks, unit, grid, config }) => ({
      ...{ id, after, blocks, unit, grid },
      map: mapGridOf(grid),
      ...(config === undefined ? {} : { config }),
    })),
    command: ownCommand('status', resolve(folder), '--dashboard'),
  }
}

/** Commands whose names say less than those of the tasks that they run. */
const GENERAL_COMMANDS = ['run', 'demo']

/** What a run does: its command, or the names of its tasks in their order. */
export function titleOf({ command, tasks }: Pick<RunDocument, 'command' | 'tasks'>): string {
  const [program, first = ''] = command ?? []
  if (program === 'bellis' && /^[a-z]/.test(first) && !GENERAL_COMMANDS.includes(first)) return first
  return tasks.map(({ id }) => id).join(' → ')
}

/** The arrays that come from outside the run, and those that it keeps. */
export function datasetsOf({ directory, tasks }: Pick<RunDocument, 'directory' | 'tasks'>): {
  readonly inputs: readonly DatasetPath[]
  readonly outputs: readonly DatasetPath[]
} {
  const place = (name: string): DatasetPath => ({ name, path: absolutePath(name, directory) })
  const written = new Set(tasks.flatMap(({ writes = [] }) => writes))
  const read = tasks.flatMap(({ reads = [] }) => reads).filter((path) => !written.has(path))
  return { inputs: [...new Set(read)].map(place), outputs: keptOutputs(tasks).map(place) }
}
