import { z } from 'zod'
import type { RunEvent } from '../../src/core/events.ts'
import type { WorkerExit } from '../../src/core/workers/worker-state.ts'
import type { WorkerLauncher } from '../../src/ports/worker-launcher.ts'
import { EventStream } from '../../src/runtime/coordinator/event-stream.ts'
import type { RunPipelineOptions } from '../../src/runtime/coordinator/run-options.ts'
import { runPipeline } from '../../src/runtime/coordinator/run-pipeline.ts'
import { defineTask } from '../../src/runtime/tasks/define-task.ts'
import { planPipeline } from '../../src/runtime/tasks/plan-pipeline.ts'
import type { TaskLike } from '../../src/runtime/tasks/task-node.ts'
import { FakeNetwork, ManualClock, ManualWorker, settle } from './fake-network.ts'
import { noArrays } from './inline-run.ts'

/** A row of independent blocks of `size` voxels. */
export const line = defineTask({
  name: 'line',
  config: z.object({ blocks: z.number(), size: z.number().default(1) }),
  plan: ({ blocks, size }) => ({
    totalRoi: { offset: [0], shape: [blocks * size] },
    readRoi: { offset: [0], shape: [size] },
    writeRoi: { offset: [0], shape: [size] },
    readWriteConflict: false,
  }),
  setup: () => () => {},
})

type Options = Partial<Omit<RunPipelineOptions, 'clock'>> & { readonly clock?: ManualClock }

/** A run on a manual clock, in which the test plays all workers. Without a launcher, the run starts no workers: all of them join. */
export async function startManual(tasks: readonly TaskLike[], { clock = new ManualClock(), ...options }: Options = {}) {
  const [network, events] = [new FakeNetwork(), new EventStream()]
  const seen: RunEvent[] = []
  events.listen((event) => seen.push(event))
  const pipeline = await planPipeline(tasks, { arrays: noArrays })
  const result = runPipeline(pipeline, {
    workers: 1,
    clock,
    events,
    launcherOf: () => undefined,
    listener: network,
    ...options,
  })
  await settle()
  /** Connects a worker. */
  const join = async (more: ConstructorParameters<typeof ManualWorker>[1] = {}) => {
    const worker = new ManualWorker(network, more)
    await settle()
    return worker
  }
  return { network, clock, seen, result, join }
}

/** A worker that the run has started. */
export interface Started {
  readonly worker: string
  readonly session: string
  isKilled: boolean
  /** How many times the memory it has that others have. */
  readonly factor: number
  readonly exit: (reason: string, more?: Partial<WorkerExit>) => void
}

/** The same with workers that the run starts. They do nothing until the test lets them connect or exit. */
export async function startLaunched(
  tasks: readonly TaskLike[],
  { sharesMemory = false, ...options }: Options & { readonly sharesMemory?: boolean } = {},
) {
  const started: Started[] = []
  /** What the launchers were told to avoid. */
  const avoided: (readonly string[])[] = []
  const launchers = new Map<number, WorkerLauncher>()
  const launcherWith = (factor: number): WorkerLauncher => ({
    sharesMemory,
    avoid(hosts) {
      avoided.push(hosts)
      return true
    },
    withMemory(times) {
      const launcher = launchers.get(times) ?? launcherWith(times)
      launchers.set(times, launcher)
      return launcher
    },
    async launch(worker, session) {
      const exited = Promise.withResolvers<WorkerExit>()
      const exit = (reason: string, more = {}) => exited.resolve({ reason, lastOutput: '', ...more })
      const one: Started = { worker, session, isKilled: false, factor, exit }
      started.push(one)
      return {
        exited: exited.promise,
        kill: () => {
          one.isKilled = true
        },
      }
    },
    async [Symbol.asyncDispose]() {},
  })
  const launcher = launcherWith(1)
  const run = await startManual(tasks, { launcherOf: () => launcher, ...options })
  const connect = ({ worker, session }: Started) => run.join({ worker, session })
  const connectAt = ({ worker, session }: Started, host: string) => run.join({ worker, session, host })
  return { ...run, started, connect, connectAt, avoided }
}

/** The events of a type, in their order. */
export const eventsOf = <Type extends RunEvent['type']>(seen: readonly RunEvent[], type: Type) =>
  seen.filter((event): event is Extract<RunEvent, { type: Type }> => event.type === type)
