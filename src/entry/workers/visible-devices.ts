import type { Units } from '../../core/workers/resource-units.ts'

const DEVICES = 'CUDA_VISIBLE_DEVICES'
const atStart = Symbol.for('bellis.devicesAtStart')
const marks = globalThis as { [atStart]?: string | undefined }
// The GPUs that the run itself may use; a worker's GPUs are numbered within them. Kept globally, since a module of the user may
// load its own copy of this package, and of this file, after the variable was changed.
if (!(atStart in marks)) marks[atStart] = process.env[DEVICES]

/**
 * The environment in which a program sees only its own GPUs. CUDA reads it on first use, so it must be set before.
 * @param units as passed to a set-up
 */
export function visibleDevices({ gpu }: Units): Readonly<Record<string, string>> {
  if (gpu === undefined) return {}
  const names = marks[atStart]?.split(',').map((name) => name.trim()) ?? []
  return { [DEVICES]: gpu.map((number) => names[number] ?? String(number)).join(',') }
}
