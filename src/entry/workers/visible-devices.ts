import type { Units } from '../../core/workers/resource-units.ts'

const DEVICES = 'CUDA_VISIBLE_DEVICES'
const atStart = Symbol.for('bellis.devicesAtStart')
const marks = globalThis as { [atStart]?: string | undefined }
// Those that the run itself may use, as it was started: what a worker has is counted among them. A module of the user may have come
// with its own copy of this package, and of this file, after the variable was set.
if (!(atStart in marks)) marks[atStart] = process.env[DEVICES]

/**
 * The environment by which a program sees the GPUs that are its own, and no others. CUDA looks at it when it is first used, so
 * it has to be set before.
 * @param units as a set-up is given them
 */
export function visibleDevices({ gpu }: Units): Readonly<Record<string, string>> {
  if (gpu === undefined) return {}
  const names = marks[atStart]?.split(',').map((name) => name.trim()) ?? []
  return { [DEVICES]: gpu.map((number) => names[number] ?? String(number)).join(',') }
}
