import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { basename, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createArray, openArray } from '../../src/entry/arrays.ts'
import { smooth } from '../../src/entry/tasks.ts'
import { bellis, type CommandResult, hashVoxels, runNode, temporaryFolder } from '../support/command-line.ts'
import { contentsOf, smallDiskOrSkip } from '../support/folders.ts'

const fixture = (name: string) => fileURLToPath(new URL(`../adapters/hdf5/fixtures/${name}`, import.meta.url))

const inputs = temporaryFolder()
after(() => inputs[Symbol.dispose]())
const at = (path: string) => join(inputs.path, path)
/** 32 × 128 × 128 voxels of 40 × 4 × 4 nm. */
const raw = at('sample.hdf/volumes/raw')
let contents: string[] = []
let closedPort = 0

before(async () => {
  const made = await bellis(['sample', 'sample.hdf', '--size', '32,128,128', '--quiet'], { cwd: inputs.path })
  assert.equal(made.code, 0, made.stderr)
  const file = readFileSync(at('sample.hdf'))
  writeFileSync(at('cut.hdf'), file.subarray(0, file.length >> 1))
  writeFileSync(at('empty.hdf'), '')
  for (const suffix of ['zarr', 'n5', 'precomputed']) writeFileSync(at(`file.${suffix}`), 'not a folder')
  mkdirSync(at('folder'))
  writeFileSync(at('folder/notes.txt'), 'not an array')
  mkdirSync(at('notes.zarr'))
  writeFileSync(at('notes.zarr/notes.txt'), 'not an array')
  const made2 = await bellis(['convert', raw, at('there.zarr/raw'), '--chunk', '16,32,32', '--pool', 'inline'], {
    cwd: inputs.path,
  })
  assert.equal(made2.code, 0, made2.stderr)
  symlinkSync(at('there.zarr'), at('link.zarr'))
  await (await createArray(at('two.zarr/a/first'), { shape: [4, 4, 4], dtype: 'uint8' })).close()
  await (await createArray(at('half.zarr/raw'), { shape: [4, 4, 4], dtype: 'float16' })).close()
  contents = contentsOf(inputs.path)
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  closedPort = (server.address() as AddressInfo).port
  server.close()
})

/** One line on standard error and nothing else anywhere. */
function assertRefusal({ code, stdout, stderr }: CommandResult, patterns: readonly RegExp[], cwd: string): void {
  assert.match(stderr, /^bellis: [^\n]+\n$/, 'exactly one line')
  assert.doesNotMatch(stderr, /internal error|\bat .*:\d+:\d+|\bundefined\b/)
  assert.ok(!stderr.includes('\u001b'), 'no control characters')
  for (const pattern of patterns) assert.match(stderr, pattern)
  assert.deepEqual([code, stdout], [2, ''])
  assert.deepEqual(readdirSync(cwd), [], 'nothing is written')
}

type Case = readonly [title: string, args: () => readonly string[], ...patterns: RegExp[]]

/** `convert` of an input to a new path, `convert` of the sample to an output, and both commands with options. */
const from = (input: () => string) => () => ['convert', input(), 'out.zarr/raw']
const to =
  (output: string, ...more: string[]) =>
  () => ['convert', raw, output, ...more]
const converting = (...more: string[]) => to('out.zarr/raw', ...more)
const smoothing =
  (...more: string[]) =>
  () => ['smooth', raw, 'out.zarr/smoothed', ...more]

const INPUTS: readonly Case[] = [
  ['a missing HDF5 file', from(() => at('nope.hdf/volumes/raw')), /no file ".*nope\.hdf"/],
  ['a missing Zarr container', from(() => at('nope.zarr/raw')), /nope\.zarr does not exist; check the path/],
  [
    'a path without a container',
    from(() => 'nope/raw'),
    /nope\/raw: expected a file or folder that ends in \.zarr, \.n5, \.precomputed, \.hdf, \.h5 or \.hdf5/,
  ],
  [
    'a dataset that is not in the HDF5 file, with the existing ones',
    from(() => at('sample.hdf/volumes/rw')),
    /sample\.hdf" has no "volumes\/rw"; it has .*volumes\/labels\/neuron_ids, volumes\/raw/,
  ],
  [
    'an array that is not in the container, with the existing ones',
    from(() => at('there.zarr/rw')),
    /no "rw" in .*there\.zarr; it has raw/,
  ],
  ['an HDF5 group', from(() => at('sample.hdf/volumes')), /volumes" is a group; it has .*volumes\/raw/],
  [
    'a Zarr group',
    () => ['smooth', at('two.zarr'), 'out.zarr/raw', '--sigma', '2'],
    /two\.zarr is a group, not an array; open one of its arrays: a\/first/,
  ],
  [
    'an HDF5 filter that is not built in',
    from(() => fixture('other-filters.h5/zfp')),
    /other-filters\.h5\/zfp" is stored with "zfp" \(HDF5 filter 32013\); expected gzip, .*h5repack/,
  ],
  ['an HDF5 file cut short', from(() => at('cut.hdf/volumes/raw')), /cut\.hdf" is truncated: .* bytes, got \d+/],
  ['an empty file', from(() => at('empty.hdf/volumes/raw')), /empty\.hdf" is not an HDF5 file/],
  ['a file of another kind', from(() => at('folder/notes.txt')), /notes\.txt" is not an HDF5 file/],
  [
    'a file as a Zarr container',
    from(() => at('file.zarr/raw')),
    /file\.zarr is a file, and a Zarr container is a folder/,
  ],
  ['a file as an N5 container', from(() => at('file.n5/raw')), /file\.n5 is a file, and an N5 container is a folder/],
  [
    'a file as a precomputed volume',
    from(() => at('file.precomputed')),
    /file\.precomputed is a file, and a precomputed volume is a folder/,
  ],
  [
    'an output of label in a file that is only read',
    () => ['label', at('sample.hdf/volumes/raw'), at('labels.tif')],
    /\/labels\.tif" can only be read/,
  ],
  ['a missing N5 container', from(() => at('old.n5/raw')), /old\.n5 does not exist; check the path/],
  [
    'float16 to smooth',
    () => ['smooth', at('half.zarr/raw'), 'out.zarr/smoothed'],
    /half\.zarr\/raw is float16, which .*float32 copy/,
  ],
  [
    'an address where nothing listens',
    from(() => `http://127.0.0.1:${closedPort}/a.zarr/raw`),
    /Can't read http:\/\/127\.0\.0\.1:\d+\/a\.zarr\/raw\/.*ECONNREFUSED/,
  ],
]

const OUTPUTS: readonly Case[] = [
  [
    'an output of another shape',
    to(at('there.zarr/raw'), '--roi', '0,0,0:1280,256,256', '--chunk', '16,32,32'),
    /there\.zarr\/raw already exists, and its shape is \(32, 128, 128\), not \(32, 64, 64\); overwrite it \(--overwrite\)/,
  ],
  [
    'an output of another dtype',
    () => ['convert', at('sample.hdf/volumes/labels/neuron_ids'), at('there.zarr/raw'), '--chunk', '16,32,32'],
    /there\.zarr\/raw already exists, and its dtype is uint8, not uint64; overwrite/,
  ],
  [
    'an output of other chunks',
    to(at('there.zarr/raw'), '--chunk', '16,64,64'),
    /there\.zarr\/raw already exists, and its chunk shape is \(16, 32, 32\), not \(16, 64, 64\); overwrite/,
  ],
  [
    'an output of another shard shape',
    to(at('there.zarr/raw'), '--roi', '0,0,0:1280,512,512', '--chunk', '16,32,32', '--shard', '32,32,32'),
    /its shard shape is none, not \(32, 32, 32\)/,
  ],
  [
    'an output in a folder that is no Zarr container',
    to(at('notes.zarr/raw')),
    /notes\.zarr .*not a Zarr .*contains notes\.txt/,
  ],
  ['an output in a plain folder', to(at('folder/raw')), /folder\/raw: expected a file or folder/],
  [
    'an output inside an array',
    to(at('there.zarr/raw/more')),
    /there\.zarr\/raw is an array, not a group; choose another place/,
  ],
  ['an output that is a group', to(at('two.zarr/a')), /two\.zarr\/a is a group that contains other arrays/],
  ['an output below a file', to(at('folder/notes.txt/out.zarr/raw')), /Can't write .*notes\.txt\/out\.zarr/],
  ['an output in HDF5 without a name', to('out.h5'), /out\.h5: expected the name of a dataset in the file, such as/],
  [
    'an output in the input file',
    to(at('sample.hdf/volumes/more')),
    /sample\.hdf exists, and such files are written once, with all their arrays; write to another file/,
  ],
  ['an output without a suffix', to('out/raw'), /out\/raw: expected a file or folder that ends in \.zarr/],
  ['an output in N5 with shards', to('out.n5/raw', '--shard', '64,64,64'), /out\.n5\/raw: N5 has no shards/],
  [
    'an output behind http',
    to('http://127.0.0.1:9/a.zarr/raw'),
    /127\.0\.0\.1:9\/a\.zarr can't be written: http addresses are read-only/,
  ],
  [
    'an output that is the input',
    () => ['convert', at('there.zarr/raw'), at('there.zarr/raw'), '--chunk', '16,32,32'],
    /input and its output are both .*there\.zarr\/raw; write to another path/,
  ],
  [
    'an output that is the input under another path',
    () => [
      'smooth',
      at('there.zarr/raw'),
      join(inputs.path, '..', basename(inputs.path), 'link.zarr', 'raw'),
      '--block-write',
      '16,32,32',
    ],
    /input and its output are both .*link\.zarr\/raw; write to another path/,
  ],
]

const OPTIONS: readonly Case[] = [
  ['a block to write of the wrong rank', smoothing('--block-write', '8,8'), /"blockWrite" is 8,8, .* has 3 axes of 32,128,128 voxels; expected 3 numbers/],
  ['a block to read of the wrong rank', smoothing('--block-read', '8,8,8,8'), /"blockRead" is 8,8,8,8, .* expected 3 numbers/],
  ['a block that writes more than it reads', smoothing('--block-read', '20,20,20', '--block-write', '21,20,20'), /reads 20,20,20 voxels can't write 21,20,20/],
  ['a block that reads less than its context', smoothing('--block-read', '8,8,8'), /reads 8,8,8 .*sigma 2 needs 8,8,8 .*at least 17,17,17/],
  ['a block of length 0', smoothing('--block-write', '8,0,8'), /--block-write 8,0,8: expected comma-separated whole numbers above 0/],
  ['a block of text', smoothing('--block-write', '8,x,8'), /--block-write 8,x,8: expected/],
  ['sigma 0', smoothing('--sigma', '0'), /--sigma 0: expected a number above 0/],
  ['a negative sigma', smoothing('--sigma', '-1.5'), /--sigma -1\.5: expected a number above 0/],
  ['sigma 0 on one axis', smoothing('--sigma', '1,0,2'), /--sigma\[1\] 0: expected a number above 0/],
  ['a sigma that is not a number', smoothing('--sigma', 'NaN'), /--sigma NaN: expected a number, or one per axis/],
  ['a sigma of text', smoothing('--sigma', 'two'), /--sigma two: expected a number/],
  ['a sigma in another unit', smoothing('--sigma', '10um'), /--sigma 10um: expected .* of nm with this unit, such as 20nm\.\n$/],
  ['a sigma with a gap', smoothing('--sigma', '1,,2'), /--sigma 1,,2: expected/],
  ['a sigma that is probably in nm', smoothing('--sigma', '1e9'), /sigma 1000000000, .*in voxels, not in nm/],
  ['too few sigmas', smoothing('--sigma', '1,2'), /"sigma" is 1,2, but .* has 3 axes .*; expected 3 numbers/],
  ...['0', '-1', '1.5', 'two', ''].map(
    (workers): Case => [
      `"${workers}" workers`,
      smoothing('--workers', workers),
      new RegExp(`--workers ${workers}: expected a whole number of at least 1`),
    ],
  ),
  ['a negative number of retries', smoothing('--max-retries', '-1'), /--max-retries -1: expected a whole number of at least 0/],
  ['a time limit of 0', smoothing('--timeout', '0'), /--timeout 0: expected a number of seconds above 0/],
  ['an unknown border mode', smoothing('--mode', 'mirrored'), /--mode mirrored: expected one of constant, reflect, nearest, mirror, wrap/],
  ['an unknown option, with the likely one', smoothing('--worker', '2'), /unknown option '--worker' \(Did you mean --workers\?\)/],
  ['a path that begins with a hyphen', () => ['info', '-lead.zarr/raw'], /^bellis: unknown option '-lead\.zarr\/raw'; if it is a path, write \.\/-lead\.zarr\/raw\.$/m],
  ['an unknown command, with the likely one', () => ['smoth', raw, 'out.zarr/s'], /unknown command 'smoth' \(Did you mean smooth\?\)/],
  ['an unknown command to plan', () => ['plan', 'covert', raw, 'out.zarr/s'], /unknown command 'covert' \(Did you mean convert\?\)/],
  ['a missing argument', () => ['smooth', raw], /missing required argument 'dst'/],
  ['one argument too many', smoothing('more'), /too many arguments .*Expected 2 arguments but got 3/],
  ['an option without its value', smoothing('--sigma'), /'--sigma <voxels\|nm>' argument missing/],
  ['a chunk of the wrong rank', converting('--chunk', '8,8'), /"chunk" is 8,8, .*; expected 3 numbers/],
  ['a chunk that does not divide its shard', converting('--chunk', '16,16,16', '--shard', '40,32,32'), /shard shape \(40, 32, 32\) is not a multiple of the chunk shape \(16, 16, 16\); the nearest one is \(48, 32, 32\)/],
  ['shards in Zarr 2', converting('--zarr-format', '2', '--shard', '32,32,32'), /Zarr 2 has no shards; omit the shard shape/],
  ['an unknown codec', converting('--codec', 'zst'), /codec "zst" is unknown; use one of raw, gzip, .*zstd/],
  ['an unknown level of a codec', converting('--codec', 'gzip:12'), /"gzip:12" has a level out of range; use gzip:0 to gzip:9/],
  ['an unknown version of Zarr', converting('--zarr-format', '4'), /--zarr-format 4: expected one of 2, 3/],
  ['a roi that is not a Roi', converting('--roi', 'all'), /"all" is not a Roi of 3 axes; write offset:shape in nm, such as/],
  ['a roi of the wrong rank', converting('--roi', '0,0:8,8'), /"0,0:8,8" is not a Roi of 3 axes/],
  ['a roi of half voxels', converting('--roi', '0,0,0:40,6,4'), /"0,0,0:40,6,4" is not a whole number of voxels \(40 × 4 × 4 nm\); the nearest Roi that is: 0,0,0:40,8,4/],
  ['an empty roi', converting('--roi', '0,0,0:40,0,4'), /expected a length of at least 1 on every axis/],
  ['a roi that extends beyond the volume, with the volume', converting('--roi', '-40,0,0:400,64,64'), /-40,0,0:400,64,64 is not inside .*raw, which fills 0,0,0:1280,512,512 nm; the part inside is 0,0,0:360,64,64/],
  ['a roi outside the volume', converting('--roi', '4000,0,0:400,64,64'), /4000,0,0:400,64,64 is not inside .*raw, which fills 0,0,0:1280,512,512 nm\./],
  ['an unknown kind of pool', converting('--pool', 'threads'), /--pool threads: expected process, thread, inline, slurm, sge, pbs, lsf, kubernetes or none/],
] // biome-ignore format: a table

describe('an invalid input', { concurrency: 2 }, () => {
  for (const [name, args, ...patterns] of INPUTS) {
    it(`bellis refuses in one line, without writing anything: ${name}`, async () => {
      using folder = temporaryFolder()
      assertRefusal(await bellis(args(), { cwd: folder.path }), patterns, folder.path)
    })
  }
})

for (const [title, cases] of [
  ['an output', OUTPUTS],
  ['an option', OPTIONS],
] as const) {
  describe(`${title} that is invalid`, () => {
    let folders: ReturnType<typeof temporaryFolder>[] = []
    let results: CommandResult[] = []
    before(async () => {
      folders = cases.map(() => temporaryFolder())
      const calls = cases.map(([, args], index) => ({ args: args(), cwd: folders[index]?.path }))
      const program = fileURLToPath(new URL('../support/call-many.ts', import.meta.url))
      const { code, stdout, stderr } = await runNode([program], { cwd: inputs.path, input: JSON.stringify(calls) })
      assert.equal(code, 0, stderr)
      results = JSON.parse(stdout)
    })
    after(() => {
      for (const folder of folders) folder[Symbol.dispose]()
    })
    for (const [index, [name, , ...patterns]] of cases.entries()) {
      it(`bellis refuses in one line, without writing anything: ${name}`, () =>
        assertRefusal(results[index] as CommandResult, patterns, folders[index]?.path as string))
    }
  })
}

it('bellis leaves inputs and outputs unchanged, whatever it refuses', () => {
  assert.deepEqual(contentsOf(inputs.path), contents)
})

describe('a configuration from a program', () => {
  it('checks a configuration given by a program before opening anything, and names the invalid value', () => {
    const call = (sigma: number | number[]) => () => smooth({ input: 'nope.zarr', output: 'out.zarr', sigma })
    assert.throws(call(Number.NaN), { code: 'INVALID_CONFIG', message: /"sigma" NaN: expected a number above 0/ })
    assert.throws(call([1, Number.NaN]), { code: 'INVALID_CONFIG', message: /"sigma\[1\]" NaN: expected a number/ })
    assert.throws(call([]), { code: 'INVALID_CONFIG', message: /"sigma"/ })
  })
})

describe('a corrupt chunk', { concurrency: 2 }, () => {
  it('a corrupt HDF5 chunk fails the blocks that need it, with its place in the file; all other blocks are done', async () => {
    using folder = temporaryFolder()
    const input = fixture('damaged.h5/gzip')
    const args = ['smooth', input, 'out.zarr/s', '--sigma', '0.1', '--block-write', '1,7,9', '--workers', '2']
    const { code, stderr } = await bellis(args, { cwd: folder.path })
    assert.equal(code, 1)
    // Sections 2 and 3 are in the damaged chunk; each section is a block.
    assert.match(
      stderr,
      /failed smooth\/[23] after 3 attempts, and 1 more block with the same error: ".*damaged\.h5\/gzip" can't be read at 2:4,0:7,0:9/,
    )
    for (const index of [2, 3]) {
      assert.match(stderr, new RegExp(`^ {2}smooth/${index}: [\\d.,:]+ nm, voxels ${index}:${index + 1},0:7,0:9$`, 'm'))
    }
    assert.doesNotMatch(stderr, /failed smooth\/[014]|\n {4}at /)
    await using array = await openArray(join(folder.path, 'out.zarr/s'))
    const { data } = await array.read(array.roi)
    const expected = Array.from({ length: 5 * 63 }, (_, i) => (i >= 126 && i < 252 ? 0 : Math.floor(i / 16)))
    assert.deepEqual(Array.from(data as Uint16Array), expected)
  })

  it('a corrupt Zarr chunk fails the blocks that need it, with the name of its file; all other blocks are done', async () => {
    using folder = temporaryFolder()
    const copied = await bellis(['convert', raw, 'in.zarr/raw', '--chunk', '32,64,64', '--pool', 'inline'], {
      cwd: folder.path,
    })
    assert.equal(copied.code, 0, copied.stderr)
    const chunk = join(folder.path, 'in.zarr/raw/c/0/1/0')
    const bytes = readFileSync(chunk)
    writeFileSync(chunk, bytes.subarray(0, bytes.length - 40))
    const args = ['smooth', 'in.zarr/raw', 'out.zarr/s', '--sigma', '0.1', '--block-write', '32,64,64']
    const { code, stdout } = await bellis([...args, '--workers', '2', '--json'], { cwd: folder.path })
    assert.equal(code, 1)
    const { ok, tasks } = JSON.parse(stdout)
    const [{ total, completed, failed, orphaned, failures }] = tasks
    assert.deepEqual([ok, total, completed, failed, orphaned], [false, 4, 3, 1, 0])
    assert.deepEqual([failures.length, failures[0].block, failures[0].attempts], [1, 'smooth/2', 3])
    assert.equal(failures[0].error.code, 'CORRUPT_DATA')
    assert.match(failures[0].error.message, /in\.zarr\/raw\/c\/0\/1\/0.*chunk \(0, 1, 0\)/)
    assert.deepEqual(readdirSync(join(folder.path, 'out.zarr/s/c/0'), { recursive: true }).sort(), [
      '0',
      '0/0',
      '0/1',
      '1',
      '1/1',
    ])
  })
})

describe('a disk', () => {
  const smoothTo = (output: string) => [
    'smooth',
    raw,
    output,
    '--sigma',
    '1',
    '--block-write',
    '16,32,32',
    '--workers',
    '2',
  ]

  it('a full disk stops the run with the reason; the same command continues when there is space', async (t) => {
    using folder = temporaryFolder()
    using disk = smallDiskOrSkip(t, folder.path, '192k')
    if (disk === undefined) return
    const reference = await bellis(smoothTo('reference.zarr/s'), { cwd: folder.path })
    assert.equal(reference.code, 0, reference.stderr)

    const full = await bellis(smoothTo('disk/out.zarr/s'), { cwd: folder.path })
    assert.equal(full.code, 1, full.stderr)
    const lines = full.stderr.split('\n').filter((line) => line.startsWith('bellis:'))
    assert.equal(lines.length, 1, full.stderr)
    assert.match(
      lines[0] ?? '',
      /the run was stopped: Can't write disk\/out\.zarr\/s\/c\/.*: the disk is full; free some space/,
    )
    assert.match(full.stderr, /To continue: bellis smooth .* disk\/out\.zarr\/s /)
    assert.doesNotMatch(full.stderr, /\n {4}at /)
    const whole = new Set(contentsOf(join(folder.path, 'reference.zarr')))
    const stored = contentsOf(join(disk.path, 'out.zarr'))
    assert.deepEqual(
      // The metadata name the run and its start.
      stored.filter((entry) => !whole.has(entry) && !/\/(\.bellis-run|zarr\.json) /.test(entry)),
      [],
      'each file is whole and right, and none is temporary',
    )
    const chunks = (entries: Iterable<string>) =>
      [...entries].filter((entry) => /\/c\/\d+\/\d+\/\d+ /.test(entry)).length
    assert.ok(chunks(stored) > 0 && chunks(stored) < chunks(whole), `${chunks(stored)} of ${chunks(whole)} chunks fit`)

    disk.remount('size=16m')
    const again = await bellis(smoothTo('disk/out.zarr/s'), { cwd: folder.path })
    assert.equal(again.code, 0, again.stderr)
    assert.equal(
      await hashVoxels(join(disk.path, 'out.zarr/s')),
      await hashVoxels(join(folder.path, 'reference.zarr/s')),
    )
  })

  it('a disk that is full already is reported before the run starts, and no partial array is left on it', async (t) => {
    using folder = temporaryFolder()
    using disk = smallDiskOrSkip(t, folder.path, '64k')
    if (disk === undefined) return
    writeFileSync(join(disk.path, 'others.bin'), new Uint8Array(64 * 1024))
    const { code, stdout, stderr } = await bellis(smoothTo('disk/out.zarr/volumes/s'), { cwd: folder.path })
    assert.match(stderr, /^bellis: Can't write disk\/out\.zarr.*: the disk is full; free some space[^\n]*\n$/)
    assert.deepEqual([code, stdout], [2, ''])
    assert.deepEqual(readdirSync(folder.path, { recursive: true }).sort(), ['disk', 'disk/others.bin'])
  })

  it('a read-only disk is reported, for an output and for the run folder', async (t) => {
    using folder = temporaryFolder()
    using disk = smallDiskOrSkip(t, folder.path, '64k')
    if (disk === undefined) return
    disk.remount('ro')
    const output = await bellis(smoothTo('disk/out.zarr/s'), { cwd: folder.path })
    assert.match(output.stderr, /^bellis: Can't write disk\/out\.zarr.*: the file system is read-only; [^\n]*\n$/)
    assert.equal(output.code, 2)
    const run = await bellis(smoothTo(join(folder.path, 'out.zarr/s')), { cwd: disk.path })
    assert.match(
      run.stderr,
      /^bellis: The run's folder \.bellis\/.* can't be created: the file system is read-only; choose another place with --run-dir\.\n$/,
    )
    assert.equal(run.code, 2)
    assert.deepEqual(readdirSync(folder.path, { recursive: true }), ['disk'])
    const elsewhere = [...smoothTo(join(folder.path, 'out.zarr/s')), '--run-dir', join(folder.path, 'runs')]
    assert.equal((await bellis(elsewhere, { cwd: disk.path })).code, 0)
  })
})
