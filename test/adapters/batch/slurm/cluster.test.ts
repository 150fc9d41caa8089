import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { slurmOrSkip } from '../../../support/slurm.ts'

describe('the SLURM that tests run on', () => {
  it('has two idle nodes, and runs jobs on both', async (t) => {
    const slurm = await slurmOrSkip(t)
    if (slurm === undefined) return
    const nodes = await slurm.run('sinfo', '--noheader', '--Node', '--partition=short', '--format=%N')
    assert.deepEqual(nodes.trim().split('\n'), slurm.nodes)
    const names = slurm.nodes.map((node) =>
      slurm.run('srun', '--quiet', `--nodelist=${node}`, 'printenv', 'SLURMD_NODENAME'),
    )
    assert.deepEqual(
      (await Promise.all(names)).map((name) => name.trim()),
      slurm.nodes,
    )
  })

  it('is the same for all tests of a file', async (t) => {
    const [first, second] = await Promise.all([slurmOrSkip(t), slurmOrSkip(t)])
    assert.equal(first?.env.SLURM_CONF, second?.env.SLURM_CONF)
  })
})
