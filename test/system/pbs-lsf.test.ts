import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { bellis, hashVoxels, temporaryFolder } from '../support/command-line.ts'
import { lsf } from '../support/lsf.ts'
import { SMOOTHED, sampleForAll } from '../support/smoothed-sample.ts'
import { torqueOrSkip } from '../support/torque.ts'

const raw = sampleForAll()

const SYSTEMS = [
  ['pbs', torqueOrSkip, '-q short -l walltime=0:10:00', '-q nope', /PBS rejects workers with these options: .*nope/],
  ['lsf', lsf, '-q short -W 10', '-q nope', /LSF rejects workers with these options: nope: No such queue/],
] as const

for (const [pool, open, options, wrong, words] of SYSTEMS) {
  describe(`a run on ${pool}`, () => {
    it('gives the correct result, with logs of its jobs, or is refused before it writes anything', async (t) => {
      const cluster = await open(t)
      if (cluster === undefined) return
      using folder = temporaryFolder()
      const { env } = cluster
      const args = ['smooth', raw, 'out.zarr/s', '--sigma', '2', '--block-write', '8,24,24', '--workers', '2']
      const call = (text: string) =>
        bellis([...args, '--pool', pool, `--${pool}`, text, '--run-dir', 'runs'], { cwd: folder.path, env })
      const refused = await call(wrong)
      assert.equal(refused.code, 2)
      assert.match(refused.stderr, words)
      assert.deepEqual(readdirSync(folder.path), [])
      const { code, stderr } = await call(options)
      assert.equal(code, 0, stderr)
      assert.equal(await hashVoxels(join(folder.path, 'out.zarr/s')), SMOOTHED)
      const [run] = readdirSync(join(folder.path, 'runs'))
      const logs = readdirSync(join(folder.path, 'runs', run as string, 'logs'))
      assert.ok(
        logs.some((name) => name.startsWith(`${pool}-`)),
        logs.join(),
      )
    })
  })
}
