import { z } from 'zod'
import { ConfigError } from '../../core/errors.ts'
import { given } from '../../core/given.ts'
import { defineTask } from '../../runtime/tasks/define-task.ts'
import { notOurFunction, PARENT_MODULE } from '../../runtime/tasks/parent-tasks.ts'
import type { TaskNode } from '../../runtime/tasks/task-node.ts'
import type { TaskSpec } from './parent-messages.ts'
import { writtenArray } from './written-array.ts'

/** A task of Rois alone: its blocks are done by programs that the parent knows. @param upstream the tasks that it comes after */
export function roiTask(spec: TaskSpec, upstream: readonly TaskNode[]): TaskNode {
  const { id, totalRoi, readRoi, writeRoi, fit, readWriteConflict, growable, writes, requires } = spec
  const define = defineTask({
    name: id,
    config: z.looseObject({}),
    module: PARENT_MODULE,
    async plan(_, { arrays }) {
      const opened = []
      for (const path of writes) opened.push(writtenArray(spec, await arrays.open(path)))
      const mask = spec.mask === undefined ? undefined : await arrays.open(spec.mask)
      const masked = spec.masked === undefined ? undefined : new Uint8Array(Buffer.from(spec.masked, 'base64'))
      const { voxelSize, offset } = spec
      const voxels = voxelSize === undefined || offset === undefined ? undefined : { voxelSize, offset }
      const grid = { totalRoi, readRoi, writeRoi, fit, readWriteConflict, growable }
      return { ...grid, writes: opened, ...given({ voxels, mask, masked }) }
    },
    setup: () => {
      throw notOurFunction(id)
    },
    // Never called here: the run's record is not used for a task that has one.
    ...(spec.checks || spec.asks ? { isDone: () => false } : {}),
  })
  const { maxRetries, maxFailures, timeoutMs, maxAhead } = spec
  return define(spec.config, {
    id,
    after: upstream,
    requires,
    ...(maxRetries === undefined ? {} : { maxRetries }),
    ...(maxFailures === undefined ? {} : { maxFailures }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(maxAhead === undefined ? {} : { maxAhead }),
  })
}

/** The nodes of a run, in the order of its tasks. @throws ConfigError `UNKNOWN_TASK`, `TASK_CYCLE` */
export function roiTasks(specs: readonly TaskSpec[]): TaskNode[] {
  const byId = new Map(specs.map((spec) => [spec.id, spec]))
  const made = new Map<string, TaskNode>()
  const making = new Set<string>()
  const make = (id: string, of: string): TaskNode => {
    const spec = byId.get(id)
    if (spec === undefined)
      throw new ConfigError('UNKNOWN_TASK', `Task "${of}" comes after "${id}", which is not there.`)
    if (making.has(id)) throw new ConfigError('TASK_CYCLE', `Task "${id}" comes after itself.`)
    const known = made.get(id)
    if (known !== undefined) return known
    making.add(id)
    const node = roiTask(
      spec,
      spec.after.map((upstream) => make(upstream, id)),
    )
    making.delete(id)
    made.set(id, node)
    return node
  }
  if (byId.size < specs.length) throw new ConfigError('DUPLICATE_TASK_ID', 'Two tasks of the run have the same id.')
  return specs.map(({ id }) => make(id, id))
}
