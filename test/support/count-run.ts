import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Invitation, type RunEvent, type RunOptions, startRun } from 'bellis'
import { endedRun } from './ended-runs.ts'
import count from './tasks/count.ts'

/** A run in this process, with its events. */
export function startCount(
  folder: string,
  config: { blocks: number; ms?: number; waits?: number },
  options: RunOptions,
) {
  const events: RunEvent[] = []
  const { promise: invited, resolve } = Promise.withResolvers<Invitation>()
  const started = startRun(count({ folder, ...config }), {
    runDir: join(folder, '.bellis'),
    onListening: resolve,
    onEvent: (event) => events.push(event),
    ...options,
  })
  const run = endedRun(started)
  const of = <Type extends RunEvent['type']>(type: Type) =>
    events.filter((event): event is Extract<RunEvent, { type: Type }> => event.type === type)
  return { run, invited, of, done: () => of('blocks-done').flatMap(({ indices }) => indices) }
}

export const all = (blocks: number) => Array.from({ length: blocks }, (_, index) => index)
export const sorted = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b)
/** The indices of the blocks whose function has run, in order. */
export const ran = (folder: string) =>
  readFileSync(join(folder, 'ran'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => Number(line.split(' ')[0]))
