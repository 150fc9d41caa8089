import type { RunEvent } from '../../src/core/events.ts'
import { breathe, systemClock } from '../../src/entry/clock.ts'
import type { ArrayStore } from '../../src/ports/array-store.ts'
import { EventStream } from '../../src/runtime/coordinator/event-stream.ts'
import type { RunPipelineOptions } from '../../src/runtime/coordinator/run-options.ts'
import { runPipeline } from '../../src/runtime/coordinator/run-pipeline.ts'
import { inlineLauncher } from '../../src/runtime/launchers/inline-launcher.ts'
import { planPipeline } from '../../src/runtime/tasks/plan-pipeline.ts'
import type { ClosureTask, TaskLike } from '../../src/runtime/tasks/task-node.ts'

const refuse = () => Promise.reject(new Error('this run has no arrays'))
export const noArrays: ArrayStore = { open: refuse, create: refuse, planCreate: refuse, canonicalPath: (path) => path }

type Options = Partial<Omit<RunPipelineOptions, 'launcherOf' | 'events'>> & {
  readonly onEvent?: (event: RunEvent) => void
}

/** Runs tasks made of closures in this process, as the library does. */
export async function runInline(
  tasks: readonly TaskLike[],
  { onEvent, arrays = noArrays, ...options }: Options & { readonly arrays?: ArrayStore } = {},
) {
  const pipeline = await planPipeline(tasks, { arrays })
  const events = new EventStream()
  if (onEvent !== undefined) events.listen(onEvent)
  await using launcher = inlineLauncher({ tasks: pipeline.tasks, arrays, clock: systemClock, breathe })
  const given = { workers: 2, clock: systemClock, arrays, ...options }
  return await runPipeline(pipeline, { ...given, launcherOf: () => launcher, events })
}

/** A one-dimensional task of `count` blocks, each of which reads `context` voxels beyond what it writes. */
export function line(
  id: string,
  count: number,
  process: ClosureTask['process'],
  more: Partial<ClosureTask> & { context?: number } = {},
): ClosureTask {
  const { context = 0, ...rest } = more
  return {
    id,
    totalRoi: { offset: [-context], shape: [count + 2 * context] },
    readRoi: { offset: [-context], shape: [1 + 2 * context] },
    writeRoi: { offset: [0], shape: [1] },
    readWriteConflict: false,
    process,
    ...rest,
  }
}
