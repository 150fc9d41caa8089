import { availableParallelism, networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { listenTcp } from '../../../adapters/links/tcp-listener.ts'
import { outsideAddressesOf } from '../../../core/addresses.ts'
import { gaussianFilter } from '../../../kernels/gaussian/gaussian.ts'
import { createArray } from '../../arrays.ts'
import { runBlockwise } from '../../run.ts'
import { convert } from '../../tasks.ts'
import { machineMemory } from '../../workers/machine-memory.ts'
import { TYPICAL_WORKER_BYTES } from '../../workers/worker-memory.ts'
import { type Finding, gigabytes, type MachineOptions, ok, problem, REINSTALL, warning } from './finding.ts'
import { inScratch } from './scratch.ts'

/** Processors and memory: those of a container or a job, if it has fewer than its machine. */
export function checkProcessorsAndMemory(): Finding {
  const { total, free } = machineMemory()
  const workers = availableParallelism()
  const found = `${workers} ${workers === 1 ? 'processor' : 'processors'}, ${gigabytes(total)} of memory`
  if (total >= workers * TYPICAL_WORKER_BYTES) return ok('machine', `${found}, ${gigabytes(free)} of it free`)
  const fitting = Math.max(1, Math.floor(total / TYPICAL_WORKER_BYTES))
  return warning('machine', `${found}: too little for a worker per processor`, `run with --workers ${fitting}`)
}

export function checkKernels(): Finding {
  const data = new Float32Array(27).fill(1)
  const { data: smoothed } = gaussianFilter({ data, shape: [3, 3, 3] }, { sigma: 1, mode: 'nearest' })
  if (smoothed.some((value) => Math.abs(value - 1) > 1e-6)) {
    return problem('kernels', 'the Gaussian computes wrong values', REINSTALL)
  }
  return ok('kernels', 'WebAssembly with SIMD works')
}

/** Runs one block in a process and one in a thread, as a run does. */
export const checkWorkers = (): Promise<Finding> =>
  inScratch(async (folder) => {
    const input = join(folder, 'in.zarr')
    await (await createArray(input, { shape: [8, 8, 8], dtype: 'uint8' })).close()
    for (const pool of ['process', 'thread'] as const) {
      const result = await runBlockwise(convert({ input, output: join(folder, `${pool}.zarr`) }), {
        ...{ pool, workers: 1, progress: 'none', runDir: join(folder, 'runs'), timeoutMs: 60_000 },
        ...{ maxRetries: 0, maxWorkerRestarts: 0, setupTimeoutMs: 60_000 },
      })
      if (result.ok) continue
      const [task] = result.tasks
      const why = result.error ?? task?.failures[0]?.error ?? task?.error
      throw new Error(`a ${pool} could not run a block: ${why?.message ?? 'it ended'}`.replace(/[.;\s]*$/, ''))
    }
    return ok('workers', 'a process and a thread each ran a block')
  })

export async function checkPorts({ host = '127.0.0.1', port = 0 }: MachineOptions): Promise<Finding> {
  await using listener = await listenTcp({ host, port })
  const others = outsideAddressesOf(networkInterfaces())
  const reached =
    others.length === 0
      ? 'this machine has no other address'
      : `other machines may reach this one at ${others.join(', ')}`
  return ok('ports', `listening on ${host}:${listener.port} works; ${reached}`)
}
