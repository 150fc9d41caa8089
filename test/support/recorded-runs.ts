import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RunResult } from '../../src/runtime/coordinator/run-result.ts'
import type { CommandOptions } from './command-line.ts'
import { type Driven, drive as driveTask } from './drive.ts'

/** Runs the task `count`, or another task of `tasks/`, in a separate process. */
export const drive = (
  config: Parameters<typeof driveTask>[1],
  options: object = {},
  { task = 'count.ts', ...more }: Omit<CommandOptions, 'cwd'> & { readonly task?: string } = {},
): Promise<Driven> => driveTask(task, config, options, more)

/** The blocks that the task `count` has done so far, in order. */
export const ran = (folder: string): number[] => {
  const file = join(folder, 'ran')
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').map(Number.parseFloat) : []
}

export const firstTask = ({ result }: Driven) => result.tasks[0] as RunResult['tasks'][number]
/** The folders of runs, except one that is being created, which has a temporary name. */
export const runsIn = (folder: string) => {
  const home = join(folder, '.bellis')
  return existsSync(home) ? readdirSync(home).filter((name) => !name.startsWith('.')) : []
}

/** The text of all logs of the runs in a folder. */
export const logsIn = (folder: string): string =>
  runsIn(folder)
    .map((run) => join(folder, '.bellis', run, 'logs'))
    .flatMap((logs) => readdirSync(logs).map((name) => readFileSync(join(logs, name), 'utf8')))
    .join('')

export const upTo = (count: number) => Array.from({ length: count }, (_, index) => index)
