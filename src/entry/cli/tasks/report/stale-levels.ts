import { pyramidKeys } from '../../../../adapters/zarr/stored-arrays.ts'
import { provenanceIn } from '../../../../core/progress/array-provenance.ts'
import type { RunResult } from '../../../../runtime/coordinator/run-result.ts'
import type { PlannedOutput, PlannedPipeline } from '../../../../runtime/tasks/planned-task.ts'
import { levelName } from '../../../../tasks/downsample.ts'
import { arrayStore, findDataset } from '../../../arrays.ts'
import { ownCommand } from '../../../own-command.ts'

/**
 * The coarser levels of what a run has written that it has not written itself, so that they show what was there before: for users, with
 * the command that makes them again.
 */
export async function staleLevels({ tasks }: PlannedPipeline, result: RunResult): Promise<string[]> {
  const own = new Set(tasks.flatMap(({ outputs }) => outputs.map(({ path }) => arrayStore.canonicalPath(path))))
  const found: string[] = []
  for (const [number, { outputs, isTransient }] of tasks.entries()) {
    const { completed = 0, skipped = 0 } = result.tasks[number] ?? {}
    if (isTransient || completed === skipped) continue
    for (const output of outputs) {
      const levels = await coarserLevels(output)
      const [next] = levels
      if (next === undefined || own.has(arrayStore.canonicalPath(next))) continue
      found.push(await describe(output, levels))
    }
  }
  return found
}

/**
 * The paths of the levels below an array in its pyramid, finer ones first. The run is done: what can't be looked at is no reason for it to
 * end with an error.
 */
async function coarserLevels({ path }: PlannedOutput): Promise<string[]> {
  try {
    const { format, container, inner } = findDataset(path)
    const keys = format.name === 'zarr' ? await pyramidKeys(container, inner) : undefined
    return (keys ?? []).slice(1).map((key) => `${container}/${key}`)
  } catch {
    return []
  }
}

async function describe({ path, options }: PlannedOutput, levels: readonly string[]): Promise<string> {
  const finest = options.levelOf === undefined ? path : `${path.slice(0, path.lastIndexOf('/') + 1)}${options.levelOf}`
  const [are, them] = levels.length === 1 ? ['shows', 'it'] : ['show', 'them']
  const stale = `${listed(levels.map(nameOf))}, ${levels.length === 1 ? 'a coarser level' : 'coarser levels'} of ${path}, still ${are} what was there before this run`
  const last = Number(/\d+$/.exec(levels.at(-1) as string)?.[0])
  const isOurs = levels.every((level, i) => nameOf(level) === levelName(nameOf(finest), last - levels.length + 1 + i))
  if (!isOurs) return `${stale}; make ${them} again.`
  const again = ownCommand('downsample', finest, '--levels', String(last), ...(await flagsOf(levels)), '--overwrite')
  return `${stale}; to make ${them} again: ${again}`
}

/** `a`, `a and b`, `a, b and c` */
const listed = (names: readonly string[]): string =>
  [names.slice(0, -1).join(', '), ...names.slice(-1)].filter(Boolean).join(' and ')

const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1)

/** The flags with which levels were made, as far as they can be opened and say so, and all are alike. */
async function flagsOf(levels: readonly string[]): Promise<string[]> {
  const factors = new Set<string>()
  const methods = new Set<string>()
  for (const level of levels) {
    await using array = await arrayStore.open(level).catch(() => undefined)
    if (array === undefined) return []
    const { factor, method } = (provenanceIn(array.attributes)?.config ?? {}) as Record<string, unknown>
    factors.add(String(factor))
    methods.add(String(method))
  }
  const [factor = '', method = ''] = [factors, methods].map((values) => (values.size === 1 ? [...values][0] : ''))
  return [
    ...(/^\d+(,\d+)*$/.test(factor) ? ['--factor', factor] : []),
    ...(/^(mean|mode|stride)$/.test(method) ? ['--method', method] : []),
  ]
}
