import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pythonOrSkip } from '../../support/python.ts'
import type { Inputs } from './inputs.ts'

/** A command whose result is known. */
export interface Workload {
  readonly name: string
  /** What has to lie in the folder of the results before the first start. */
  readonly prepare?: (results: string, inputs: Inputs) => void
  /** The arguments of `bellis`, without those of the pool. @param results path of the folder for the results */
  command(results: string, inputs: Inputs): readonly string[]
  /** The arrays that are compared, below the folder of the results. */
  readonly outputs: readonly string[]
  /** Transient arrays, which have no chunks at the end. */
  readonly transient?: readonly string[]
  /** How it reads the inputs. @default files */
  readonly reads?: 'http'
}

const task = (name: string) => fileURLToPath(new URL(`tasks/${name}`, import.meta.url))

const CHAIN: Workload = {
  name: 'chain',
  command: (results, { raw }) => ['run', task('chain.ts'), '--input', raw, '--output', join(results, 'out.zarr')],
  outputs: ['out.zarr/twice', 'out.zarr/mask', 'out.zarr/labels', 'out.zarr/labels_s1'],
  transient: ['out.zarr/once'],
}

/** Reads a zip file and writes N5. */
const CHAIN_N5: Workload = {
  name: 'chain from zip to N5',
  command: (results, { zip }) => {
    const where = ['--input', join(zip, 'raw'), '--output', join(results, 'out.n5')]
    return ['run', task('chain.ts'), ...where]
  },
  outputs: ['out.n5/twice', 'out.n5/mask', 'out.n5/labels', 'out.n5/labels_s1'],
  transient: ['out.n5/once'],
}

/** Two scales of one volume are written at the same time, and the chunks of one are removed. */
const SMOOTH_PRECOMPUTED: Workload = {
  name: 'smooth twice to precomputed',
  command: (results, { rawN5 }) => {
    const where = ['--input', rawN5, '--output', join(results, 'out.precomputed'), '--smooth-only', 'true']
    return ['run', task('chain.ts'), ...where]
  },
  outputs: ['out.precomputed/twice'],
  transient: ['out.precomputed/once'],
}

const LABEL_PRECOMPUTED: Workload = {
  name: 'label from zip to precomputed',
  command: (results, { zip }) => {
    return ['label', join(zip, 'mask'), join(results, 'out.precomputed/labels'), '--block', '8,24,24']
  },
  outputs: ['out.precomputed/labels'],
}

const LABEL: Workload = {
  name: 'label',
  command: (results, { mask }) => ['label', mask, join(results, 'out.zarr/labels'), '--block', '8,24,24'],
  outputs: ['out.zarr/labels'],
}

const SMOOTH: Workload = {
  name: 'smooth',
  command: (results, { raw }) => {
    const how = ['--sigma', '1', '--block-write', '4,16,16']
    return ['smooth', raw, join(results, 'out.zarr/soft'), ...how]
  },
  outputs: ['out.zarr/soft'],
}

const SHARDS: Workload = {
  name: 'convert with shards',
  command: (results, { large }) => {
    const how = ['--chunk', '16,32,32', '--shard', '32,128,128', '--codec', 'gzip:6']
    return ['convert', large, join(results, 'out.zarr/raw'), ...how]
  },
  outputs: ['out.zarr/raw'],
}

const PYRAMID: Workload = {
  name: 'downsample',
  prepare: (results, { large }) => cpSync(join(large, '..'), join(results, 'out.zarr'), { recursive: true }),
  command: (results) => ['downsample', join(results, 'out.zarr/large'), '--factor', '1,2,2', '--levels', '3'],
  outputs: ['out.zarr/large_s1', 'out.zarr/large_s2', 'out.zarr/large_s3'],
}

/** Only the blocks that write in a part of the volume are run. */
const MASKED: Workload = {
  name: 'smooth inside of a mask',
  command: (results, { raw, part }) => {
    const how = ['--sigma', '1', '--block-write', '4,16,16', '--mask', part]
    return ['smooth', raw, join(results, 'out.zarr/soft'), ...how]
  },
  outputs: ['out.zarr/soft'],
}

/** Three arrays of one group, as one run. */
const GROUP: Workload = {
  name: 'convert of a group',
  command: (results, { raw }) => ['convert', join(raw, '..'), join(results, 'out.zarr'), '--codec', 'gzip:1'],
  outputs: ['out.zarr/raw', 'out.zarr/mask', 'out.zarr/large'],
}

/** Smooths the voxels of `raw`, in some format, over http. */
const overHttp = (name: string, input: 'raw' | 'rawN5' | 'rawPrecomputed', output: string): Workload => ({
  name,
  reads: 'http',
  command: (results, inputs) => {
    const how = ['--sigma', '1', '--block-write', '8,24,24']
    return ['smooth', inputs[input], join(results, output), ...how]
  },
  outputs: [output],
})

const python = pythonOrSkip({ skip: (reason) => console.error(`No workload in Python: ${reason}`) })

/** The Python that does its blocks; undefined if there is none. */
export const PYTHON: { readonly path: string; readonly program: string; readonly workload: Workload } | undefined =
  python === undefined
    ? undefined
    : {
        path: python,
        program: task('add.py'),
        workload: {
          name: 'Python',
          command: (results, { raw }) => {
            const where = ['--input', raw, '--output', join(results, 'out.zarr/sum'), '--python', python]
            return ['run', task('add.ts'), ...where]
          },
          outputs: ['out.zarr/sum'],
        },
      }

export const WORKLOADS: readonly Workload[] = [
  CHAIN,
  LABEL,
  SMOOTH,
  SHARDS,
  PYRAMID,
  overHttp('smooth over http', 'raw', 'out.zarr/soft'),
  CHAIN_N5,
  SMOOTH_PRECOMPUTED,
  LABEL_PRECOMPUTED,
  overHttp('smooth N5 over http', 'rawN5', 'out.n5/soft'),
  overHttp('smooth precomputed over http', 'rawPrecomputed', 'out.n5/soft'),
  ...(PYTHON === undefined ? [] : [PYTHON.workload]),
]

/** Those of long soaks. */
export const ALL_WORKLOADS: readonly Workload[] = [...WORKLOADS, MASKED, GROUP]
