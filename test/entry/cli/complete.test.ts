import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { complete } from '../../../src/entry/cli/completion/complete.ts'
import { bellisProgram } from '../../../src/entry/cli/main.ts'
import { writeSampleFile } from '../../../src/sample/write-sample.ts'
import { temporaryFolder } from '../../support/command-line.ts'
import { reportRun } from '../../support/reported-run.ts'

/** What can stand at the end of a line; "files" stands for the names of files. */
async function after(line: string): Promise<string[]> {
  const { candidates, takesFiles } = await complete(await bellisProgram(), line.split(' '))
  return [...candidates.map(({ text }) => text), ...(takesFiles ? ['files'] : [])]
}

describe('completion', () => {
  it('offers commands, also below plan, and by their help', async () => {
    assert.deepEqual(await after('sm'), ['smooth'])
    assert.deepEqual(await after('convert'), ['convert'])
    assert.deepEqual(await after('plan th'), ['threshold', 'files'])
    const { candidates } = await complete(await bellisProgram(), ['smo'])
    assert.deepEqual(candidates, [
      { text: 'smooth', description: 'Smooths a volume with a Gaussian, equal to scipy.ndimage.gaussian_filter' },
    ])
    const [mode] = (await complete(await bellisProgram(), ['smooth', '--mod'])).candidates
    assert.equal(mode?.description, 'values outside the volume')
  })

  it('offers the flags of the command, wherever its arguments are', async () => {
    for (const line of ['smooth --mo', 'smooth a.zarr/b --sigma 2 --mo', 'plan smooth --json a b --mo']) {
      assert.deepEqual(await after(line), ['--mode'], line)
    }
    assert.deepEqual(await after('--ver'), ['--version'])
    assert.deepEqual(await after('run task.ts --task x --workers 2 --ta'), ['--task'])
    assert.deepEqual(await after('plan task.ts --tas'), ['--task'])
    assert.ok((await after('smooth --')).includes('--help'))
  })

  it('offers the choices of a value, in one word with its flag or apart, and as bash splits it', async () => {
    assert.deepEqual(await after('smooth --mode re'), ['reflect'])
    assert.deepEqual(await after('smooth --mode=re'), ['--mode=reflect'])
    assert.deepEqual(await after('smooth --mode = re'), ['reflect'])
    assert.deepEqual(await after('smooth --mode = reflect a.zarr/b --mod'), ['--mode'])
    assert.deepEqual(await after('convert --zarr-format '), ['2', '3'])
    assert.deepEqual(await after('completion '), ['bash', 'zsh', 'fish'])
  })

  it('offers files where they are expected and nothing where numbers are', async () => {
    for (const line of ['smooth ', 'smooth a ', 'info a b ', 'run ', 'plan x', 'smooth --config ', 'show --image x']) {
      assert.deepEqual((await after(line)).slice(-1), ['files'], line)
    }
    for (const line of ['smooth a b ', 'smooth --sigma ', 'smooth a b --workers ', 'sample --seed ', 'runs ']) {
      assert.deepEqual(await after(line), [], line)
    }
  })

  it('offers runs, and datasets in an HDF5 file', async () => {
    using folder = temporaryFolder()
    const previous = process.cwd()
    process.chdir(folder.path)
    try {
      using _ = reportRun(join('.bellis', 'smooth-1a2b3c4d'), [{ shape: [1] }])
      await writeSampleFile('sample.hdf', { size: [4, 32, 32], seed: 1 })
      assert.deepEqual(await after('status '), ['last', 'smooth-1a2b3c4d', 'files'])
      assert.deepEqual(await after('reset --failed smo'), ['smooth-1a2b3c4d', 'files'])
      assert.deepEqual(await after('info sample.hdf/volumes/r'), ['sample.hdf/volumes/raw', 'files'])
      assert.deepEqual(await after('info sample.hdf/volumes/none'), ['files'])
      assert.deepEqual(await after('info task.ts/x'), ['files'])
    } finally {
      process.chdir(previous)
    }
  })
})
