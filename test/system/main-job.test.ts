import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { bellis, hashVoxels, temporaryFolder } from '../support/command-line.ts'
import { pythonOrSkip, runPython } from '../support/python.ts'
import { sharedDataOrSkip } from '../support/shared-data.ts'

// SHA-256 of what h5py reads, and of what SciPy 1.17.1 computes for the complete volume (gaussian_filter of volumes/raw).
const RAW = 'fd09639eb0eb51f7e55bf96c845d6825ea6da48afe12df1df266ce688df917a9'
const NEURON_IDS = 'f33d675c3d6c18fae3814464f81c9257eb706c87a18e6d2153f55201c68614bf'
const SIGMA_2 = {
  constant: 'c6834d70ec19d8d8d607909da28acaa2d08173ad5b8f7d6926f0250befd733a1',
  reflect: '986670111817dbcf7bc0300bb8d0a400411d1b34b002902e164986998f7abdb7',
  nearest: '0e51d61d06704ebd565b91a428fd397621e9bf0fb6c4f1685eb210e868942126',
  mirror: 'ce554733e2e1b142e78f2cc75fad477edb8088860abde886633f0d7954eef267',
  wrap: '1b68c201d635cb9b304a96c12cad330f96dedaf283c335943dd532364671b3ad',
}
const SIGMA_HALF_2_3_REFLECT = '9928679cf2846da58071bc83de3f64e747ac57ab1f0348e9de03fbf69a784903'

describe('the main job on real data', () => {
  it('convert copies HDF5 to Zarr 3 and 2, sharded or not, with the same voxels in the same place', async (t) => {
    const sample = sharedDataOrSkip(t, 'vnc_small.hdf')
    if (sample === undefined) return
    using folder = temporaryFolder()
    const variants: [string, string, string[], string][] = [
      ['volumes/raw', 'a.zarr/volumes/raw', [], RAW],
      ['volumes/labels/neuron_ids', 'a.zarr/volumes/labels/neuron_ids', [], NEURON_IDS],
      ['volumes/raw', 'b.zarr/raw', ['--zarr-format', '2', '--codec', 'blosc', '--chunk', '7,50,60'], RAW],
      [
        'volumes/labels/neuron_ids',
        'c.zarr/ids',
        ['--chunk', '5,32,32', '--shard', '10,64,96', '--codec', 'gzip:1'],
        NEURON_IDS,
      ],
    ]
    for (const [from, to, flags, hash] of variants) {
      const { code, stderr } = await bellis(['convert', `${sample}/${from}`, to, '--workers', '2', ...flags], {
        cwd: folder.path,
      })
      assert.equal(code, 0, stderr)
      assert.equal(await hashVoxels(join(folder.path, to)), hash, to)
      const info = JSON.parse((await bellis(['info', to, '--json'], { cwd: folder.path })).stdout)
      assert.deepEqual([info.voxelSize, info.offset, info.unit], [[50, 4.6, 4.6], [0, 0, 0], 'nm'])
      assert.equal(info.chunksStored, info.chunksTotal)
    }
  })

  it('convert copies a region given in nm, and keeps its position', async (t) => {
    const sample = sharedDataOrSkip(t, 'vnc_small.hdf')
    if (sample === undefined) return
    using folder = temporaryFolder()
    const convert = (roi: string) =>
      bellis(['convert', `${sample}/volumes/raw`, 'part.zarr/raw', '--roi', roi], { cwd: folder.path })
    const refused = await convert('100,46,46:500,471.04,460')
    assert.equal(refused.code, 2)
    assert.match(refused.stderr, /nearest Roi that is: 100,46,46:500,469\.2,460/)
    assert.deepEqual(readdirSync(folder.path), [])
    const { code, stderr } = await convert('100,46,46:500,469.2,460')
    assert.equal(code, 0, stderr)
    const info = JSON.parse((await bellis(['info', 'part.zarr/raw', '--json'], { cwd: folder.path })).stdout)
    assert.deepEqual(
      [info.shape, info.offset],
      [
        [10, 102, 100],
        [100, 46, 46],
      ],
    )
  })

  it('smooth equals SciPy at every voxel, in every border mode, for any blocks', async (t) => {
    const sample = sharedDataOrSkip(t, 'vnc_small.hdf')
    if (sample === undefined) return
    using folder = temporaryFolder()
    const raw = `${sample}/volumes/raw`
    for (const [mode, hash] of Object.entries(SIGMA_2)) {
      for (const blocks of [[], ['--block-write', '7,61,53']]) {
        const to = `${mode}${blocks.length}.zarr/s`
        const { code, stderr } = await bellis(
          ['smooth', raw, to, '--sigma', '2', '--mode', mode, '--workers', '2', ...blocks],
          { cwd: folder.path },
        )
        assert.equal(code, 0, stderr)
        assert.equal(await hashVoxels(join(folder.path, to)), hash, `${mode} ${blocks.join(' ')}`)
      }
    }
    await bellis(['smooth', raw, 'aniso.zarr/s', '--sigma', '0.5,2,3', '--mode', 'reflect', '--pool', 'inline'], {
      cwd: folder.path,
    })
    assert.equal(await hashVoxels(join(folder.path, 'aniso.zarr/s')), SIGMA_HALF_2_3_REFLECT)
  })

  it('smooth runs with too little context if asked to, and reports how much sigma needs', async (t) => {
    const sample = sharedDataOrSkip(t, 'vnc_small.hdf')
    if (sample === undefined) return
    using folder = temporaryFolder()
    const { code, stderr } = await bellis(
      [
        'smooth',
        `${sample}/volumes/raw`,
        'out.zarr/smoothed',
        '--block-read',
        '20,200,200',
        '--block-write',
        '18,180,180',
        '--sigma',
        '5',
      ],
      { cwd: folder.path },
    )
    assert.equal(code, 0)
    assert.match(
      stderr,
      /warning: smooth: .*sigma 5.*20 on z \(given: 1\), 20 on y \(given: 10\), 20 on x \(given: 10\) voxels/,
    )
    assert.notEqual(await hashVoxels(join(folder.path, 'out.zarr/smoothed')), SIGMA_2.constant)
  })

  it('convert and smooth write arrays that zarr-python and tensorstore open, equal to h5py and SciPy', async (t) => {
    const sample = sharedDataOrSkip(t, 'vnc_small.hdf')
    const python = pythonOrSkip(t)
    if (sample === undefined || python === undefined) return
    using folder = temporaryFolder()
    const run = async (...args: string[]) => {
      const { code, stderr } = await bellis(args, { cwd: folder.path })
      assert.equal(code, 0, stderr)
    }
    await run('convert', `${sample}/volumes/raw`, 'out.zarr/volumes/raw')
    await run('convert', `${sample}/volumes/labels/neuron_ids`, 'two.zarr/volumes/neuron_ids', '--zarr-format', '2')
    await run('smooth', 'out.zarr/volumes/raw', 'out.zarr/volumes/smoothed', '--sigma', '2', '--workers', '2')
    const answer = await runPython(python, new URL('./main_job.py', import.meta.url), [sample, folder.path])
    assert.match(answer, /all equal/)
  })
})
