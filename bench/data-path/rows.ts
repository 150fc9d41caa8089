/** One command line, and what it writes. */
export interface Side {
  readonly name: string
  readonly command: readonly string[]
  /** Removed before each run. */
  readonly writes: readonly string[]
  /** The arrays to compare, in the same order on all sides. */
  readonly arrays: readonly string[]
}

/** One line of the table: Bellis and those that do the same. */
export interface Row {
  readonly id: string
  readonly title: string
  /** Most processor time in relation to the first peer's. */
  readonly goal: number
  /** What equal means: the same voxels, labels of the same voxels, or the same printed counts. */
  readonly compare: 'voxels' | 'partition' | 'counts' | 'nothing'
  readonly ours: Side
  /** The strongest one first. */
  readonly peers: readonly Side[]
}

/** Where the inputs are, below the working folder. */
export interface Inputs {
  readonly hdf: { readonly file: string; readonly dataset: string }
  readonly raw: string
  readonly mask: string
  /** By codec. */
  readonly copies: Readonly<Record<string, string>>
}

export interface Programs {
  readonly node: string
  readonly bellis: string
  readonly chain: string
  readonly python: string
  readonly pipelines: string
  readonly workers: number
}

export const CODECS = ['raw', 'zstd:3', 'blosc-lz4', 'gzip:6'] as const
const FLAT_BLOCKS = '32,256,256'

/** All rows of the table. */
export function tableRows(inputs: Inputs, programs: Programs): Row[] {
  return [
    ...smoothRows(inputs, programs),
    ...copyRows(inputs, programs),
    ...kernelRows(inputs, programs),
    ...starts(programs),
  ]
}

type Peer = (name: string, args: readonly string[], arrays?: readonly string[]) => Side

/** What all commands share. Every side writes below a folder of its own. */
function sidesOf({ node, bellis, python, pipelines, workers }: Programs) {
  const ours = (args: readonly string[], arrays: readonly string[], writes = ['ours.zarr']): Side => ({
    name: 'Bellis',
    command: [node, bellis, ...args, '--workers', String(workers), ...(args.includes('--json') ? [] : ['--quiet'])],
    writes: [...writes, '.bellis'],
    arrays,
  })
  const peer: Peer = (name, [command = '', source = '', kind = '', ...flags], arrays = ['theirs/out']) => ({
    name,
    command: [python, pipelines, command, source, 'theirs/out', kind, ...flags, '--workers', String(workers)],
    writes: ['theirs'],
    arrays,
  })
  return { ours, peer }
}

function smoothRows({ raw }: Inputs, programs: Programs): Row[] {
  const { ours, peer } = sidesOf(programs)
  const out = ['ours.zarr/out']
  const smooth = (...flags: string[]) => ours(['smooth', raw, out[0] as string, '--sigma', '2', ...flags], out)
  const peers = (first: 'mp' | 'daisy', ...flags: string[]) => {
    const both = [
      peer('multiprocessing + SciPy + tensorstore', ['smooth', raw, 'mp', ...flags]),
      peer('Daisy + SciPy + tensorstore', ['smooth', raw, 'daisy', ...flags]),
    ]
    return first === 'mp' ? both : both.reverse()
  }
  const chain = ['run', programs.chain, '--input', raw, '--output', 'ours.zarr', '--sigma', '2']
  return [
    { id: 'smooth', title: 'smooth, σ 2', goal: 0.33, compare: 'voxels', ours: smooth(), peers: peers('mp') },
    {
      id: 'smooth-flat',
      title: 'smooth, blocks of 32 × 256 × 256',
      goal: 0.33,
      compare: 'voxels',
      ours: smooth('--block-write', FLAT_BLOCKS),
      peers: peers('daisy', '--block', FLAT_BLOCKS),
    },
    {
      id: 'chain',
      title: 'smooth twice, in a chain',
      goal: 0.33,
      compare: 'voxels',
      ours: ours(chain, ['ours.zarr/once', 'ours.zarr/twice']),
      peers: peers('mp', '--chain').map((side) => ({ ...side, arrays: ['theirs/out_1', 'theirs/out'] })),
    },
  ]
}

function copyRows({ hdf, raw, copies }: Inputs, programs: Programs): Row[] {
  const { ours, peer } = sidesOf(programs)
  const out = ['ours.zarr/out']
  const copy = (from: string, codec: string, ...flags: string[]) =>
    ours(['convert', from, ...out, '--codec', codec, ...flags], out)
  const hdf5 = `${hdf.file}:${hdf.dataset}`
  const chunks = ['--chunk', '64,64,64']
  const shards = ['--chunk', '32,32,32', '--shard', '128,128,128']
  return [
    {
      id: 'convert',
      title: 'convert HDF5, gzip → Zarr, zstd',
      goal: 1,
      compare: 'voxels',
      ours: copy(`${hdf.file}/${hdf.dataset}`, 'zstd:3', ...chunks),
      peers: [
        peer('h5py + tensorstore', ['convert', hdf5, 'tensorstore', '--block', '128,256,256']),
        peer('h5py + zarr-python', ['convert', hdf5, 'zarr', '--block', '128,256,256']),
      ],
    },
    ...CODECS.map((codec): Row => {
      const source = copies[codec] as string
      return {
        id: `copy-${codec.replace(/:.*/, '')}`,
        title: `copy Zarr, ${codec.replace(':', ' ')}`,
        goal: 1.2,
        compare: 'voxels',
        ours: copy(source, codec, ...chunks),
        peers: [
          peer('tensorstore', ['copy', source, 'tensorstore', '--codec', codec]),
          peer('zarrs', ['copy', source, 'zarrs', '--codec', codec, '--block', '128,256,256']),
        ],
      }
    }),
    {
      id: 'shards',
      title: 'write shards of 128³, chunks of 32³',
      goal: 1.2,
      compare: 'voxels',
      ours: copy(raw, 'zstd:3', ...shards),
      peers: [peer('tensorstore', ['copy', raw, 'tensorstore', ...shards])],
    },
  ]
}

function kernelRows({ raw, mask }: Inputs, programs: Programs): Row[] {
  const { ours, peer } = sidesOf(programs)
  const out = ['ours.zarr/out']
  const levels = [1, 2, 3, 4]
  const written = levels.map((level) => `${raw}_s${level}`)
  return [
    {
      id: 'downsample',
      title: 'downsample, mean of 2 × 2 × 2, 4 levels',
      goal: 1,
      compare: 'voxels',
      ours: ours(['downsample', raw, '--factor', '2,2,2', '--levels', '4'], written, written),
      peers: [
        peer(
          'tensorstore',
          ['downsample', raw, 'tensorstore'],
          levels.map((level) => `theirs/out/s${level}`),
        ),
      ],
    },
    {
      id: 'map',
      title: 'map 255 - x',
      goal: 1,
      compare: 'voxels',
      ours: ours(['map', raw, ...out, '--expr', '255 - x'], out),
      peers: [
        peer('NumPy + tensorstore', ['map', raw, 'numpy', '--block', '128,256,256']),
        peer('dask', ['map', raw, 'dask', '--block', '128,256,256']),
      ],
    },
    {
      id: 'reduce',
      title: 'reduce, 256 bins',
      goal: 1,
      compare: 'counts',
      ours: ours(['reduce', raw, '--bins', '256', '--json'], []),
      peers: [
        peer('NumPy + tensorstore', ['reduce', raw, 'numpy', '--block', '128,256,256'], []),
        peer('dask', ['reduce', raw, 'dask', '--block', '128,256,256'], []),
      ],
    },
    {
      id: 'label',
      title: 'label a mask',
      goal: 1.5,
      compare: 'partition',
      ours: ours(['label', mask, ...out], out),
      peers: [peer('cc3d in memory', ['label', mask, 'cc3d']), peer('SciPy in memory', ['label', mask, 'scipy'])],
    },
  ]
}

/** What a command takes before it does anything. */
function starts({ node, bellis, python }: Programs): Row[] {
  const side = (name: string, ...command: string[]): Side => ({ name, command, writes: [], arrays: [] })
  const others = [side('node -e 0', node, '-e', '0'), side('python -c "import zarr"', python, '-c', 'import zarr')]
  return [
    {
      id: 'version',
      title: 'bellis --version',
      goal: 3,
      compare: 'nothing',
      ours: side('Bellis', node, bellis, '--version'),
      peers: others,
    },
    {
      id: 'info',
      title: 'bellis info',
      goal: 6,
      compare: 'nothing',
      ours: side('Bellis', node, bellis, 'info', 'raw.zarr/raw'),
      peers: others,
    },
  ]
}
