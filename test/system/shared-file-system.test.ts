import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { dyingAt, hashVoxels } from '../support/command-line.ts'
import { type Hosts, hostsOrSkip } from '../support/hosts.ts'
import { until } from '../support/processes.ts'
import { SMOOTHED, sampleForAll } from '../support/smoothed-sample.ts'

const raw = sampleForAll()

/** 512 blocks. */
const smooth = (name: string) =>
  `bellis smooth ${raw} ${name}.zarr/s --sigma 2 --block-write 4,24,24 --workers 2 --run-dir ${name}`

/** Makes the lock of an output look as if its holder had been silent for nearly two minutes. */
const silent = (name: string) => `touch -d '-118 seconds' ${name}.zarr/s/.bellis-lock`

async function assertComplete({ stored }: Hosts, name: string): Promise<void> {
  const output = join(stored, `${name}.zarr/s`)
  assert.equal(await hashVoxels(output), SMOOTHED)
  for (const left of ['.bellis-lock', '.bellis-writers']) assert.equal(existsSync(join(output, left)), false, left)
}

describe('two hosts that share a network file system', () => {
  it('do a run together, and nobody else writes its output meanwhile, on either of them', async (t) => {
    const found = await hostsOrSkip(t)
    if (found === undefined) return
    const [anna, bert] = found.hosts
    const line = smooth('together')
    const run = await anna.run(`${line} --pool none --host ${anna.address}`, {
      meanwhile: async ({ output }) => {
        await until('the run waits for workers', () => output.stderr.includes('bellis worker'))
        for (const host of [anna, bert]) {
          const same = await host.run(line)
          assert.equal(same.code, 2)
          assert.match(same.stderr, /^bellis: This run is already running, in process \d+ of root on anna, since .*\n$/)
          const other = await host.run(`${line} --run-dir other`)
          assert.equal(other.code, 2)
          assert.match(
            other.stderr,
            /^bellis: together\.zarr\/s is being written by .*, process \d+ on anna; wait for it, or stop it\.\n$/,
          )
          assert.match(
            (await host.run('bellis status last --run-dir together')).stdout,
            /: running, in process \d+ of root on anna/,
          )
        }
        const worker = await bert.run('bellis worker together/*')
        assert.deepEqual([worker.code, worker.stderr], [0, 'Connected as w1.\nLeft after 512 blocks.\n'])
      },
    })
    assert.equal(run.code, 0, run.stderr)
    await assertComplete(found, 'together')
  })

  it('continue on one what was killed on the other, as soon as its lock has expired', async (t) => {
    const found = await hostsOrSkip(t)
    if (found === undefined) return
    const [anna, bert] = found.hosts
    const line = smooth('continued')
    assert.equal((await anna.run(line, { env: dyingAt(0) })).code, 'SIGKILL')
    const { code, stdout, stderr } = await bert.run(line, {
      meanwhile: async ({ output }) => {
        await until('the run waits', () => output.stderr.includes('is still locked'))
        await bert.run(silent('continued'))
      },
    })
    assert.equal(code, 0, stderr)
    assert.match(
      stderr,
      /continued\.zarr\/s is still locked by an earlier start of this run, process \d+ on anna, .*: waiting up to /,
    )
    assert.match(stdout, /512 of 512 blocks, \d+ of them already done/)
    await assertComplete(found, 'continued')
  })

  it('write nothing twice when one is cut off: the other continues its run, and it ends with the reason', async (t) => {
    const found = await hostsOrSkip(t)
    if (found === undefined) return
    const [anna, bert] = found.hosts
    const line = smooth('cut')
    const cutting = Promise.withResolvers<void>()
    const running = anna.run(line, {
      meanwhile: async () => {
        await until('a block is done', () => existsSync(join(found.stored, 'cut.zarr/s/c/2/3')))
        anna.cable('down')
        cutting.resolve()
      },
    })
    await Promise.race([cutting.promise, running])
    // The server lets go of the locks of a host that does not answer, some time later.
    const other = await bert.run(`for i in $(seq 60); do ${silent('cut')}; ${line} && exit 0; sleep 0.5; done; exit 1`)
    anna.cable('up')
    const cut = await running
    assert.equal(other.code, 0, other.stderr)
    assert.match(other.stderr, /^bellis: This run is already running, in process \d+ of root on anna/)
    assert.notEqual(cut.code, 0)
    assert.match(cut.stderr, /the connection to the file system was lost \(.*\)/)
    assert.doesNotMatch(cut.stderr, /internal error|\n {4}at /)
    await assertComplete(found, 'cut')
    const again = await bert.run(line)
    assert.match(again.stdout, /Nothing left to do: all 512 blocks were done before/)
  })
})
