import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { bellis, type CommandOptions, temporaryFolder } from '../support/command-line.ts'
import { untilAsync } from '../support/drive.ts'
import { slurmOrSkip } from '../support/slurm.ts'

/** Eight blocks, of which two keep some 160 MB of JavaScript objects; every block notes the limit of its heap. */
const MODULE = `
import { appendFileSync } from 'node:fs'
import { getHeapStatistics } from 'node:v8'
import { defineTask, roi, z } from 'bellis'
export default defineTask({
  name: 'greedy',
  config: z.object({}),
  plan: () => ({ totalRoi: roi([0], [8]), readRoi: roi([0], [1]), writeRoi: roi([0], [1]), readWriteConflict: false }),
  setup: () => (block) => {
    const megabytes = Math.round(getHeapStatistics().heap_size_limit / 2 ** 20)
    appendFileSync('blocks.txt', block.index + ' ' + megabytes + '\\n')
    const kept = []
    const count = block.index % 5 === 2 ? 2_500_000 : 1000
    for (let i = 0; i < count; i++) kept.push({ i, half: i / 2 })
    if (kept.length !== count) throw new Error('lost')
  },
})
`

const RUN = ['run', 'greedy.ts', '--json']

async function run(cwd: string, args: readonly string[], { env = {}, ...options }: Omit<CommandOptions, 'cwd'> = {}) {
  writeFileSync(join(cwd, 'greedy.ts'), MODULE)
  const { code, stdout, stderr } = await bellis([...RUN, ...args], {
    cwd,
    env: { ...env, NODE_OPTIONS: '--max-old-space-size=80' },
    ...options,
  })
  return { code, stderr, result: stdout === '' ? undefined : JSON.parse(stdout) }
}

describe('a block whose worker runs out of memory', () => {
  it('fails with the limit of the heap and what was used, after its retries', async () => {
    using folder = temporaryFolder()
    const { code, result } = await run(folder.path, ['--workers', '2', '--max-retries', '0'])
    assert.equal(code, 1)
    const [{ completed, failures }] = result.tasks
    assert.equal(completed, 6)
    for (const { error } of failures) {
      assert.equal(error.code, 'OUT_OF_MEMORY')
      assert.match(error.message, /out of memory: its JavaScript heap reached its limit; .*it had a heap of 80 MB/)
    }
  })

  it('is done on a worker with more memory, which gets no other block', async () => {
    using folder = temporaryFolder()
    const { code, result, stderr } = await run(folder.path, ['--workers', '2', '--memory-retry', 'greedy:4x'])
    assert.equal(code, 0, stderr)
    assert.equal(result.tasks[0].completed, 8)
    assert.match(stderr, /greedy: blocks whose worker ran out of memory are tried again with 4 times as much/)
    const lines = readFileSync(join(folder.path, 'blocks.txt'), 'utf8').trim().split('\n')
    const limits = new Map<string, number[]>()
    for (const line of lines) {
      const [index = '', megabytes = ''] = line.split(' ')
      limits.set(index, [...(limits.get(index) ?? []), Number(megabytes)])
    }
    for (const [index, tried] of limits) {
      const last = tried.at(-1) ?? 0
      // 240 MB more of old space; the young generation counts, too.
      const more = last - (tried[0] ?? 0)
      assert.equal(more, index === '2' || index === '7' ? 3 * 80 : 0, `${index}: ${tried}`)
    }
  })

  it('is done by a job that requests more, on SLURM', async (t) => {
    const slurm = await slurmOrSkip(t)
    if (slurm === undefined) return
    using folder = temporaryFolder()
    const args = ['--workers', '1', '--pool', 'slurm', '--memory-retry', '4x']
    const refused = await run(folder.path, args, { env: slurm.env })
    assert.equal(refused.code, 2)
    assert.match(
      refused.stderr,
      /--memory-retry: the jobs ask for no memory .*; say how much they need in --slurm, such as --mem=4G/,
    )
    const asked = new Set<string>()
    const { code, result, stderr } = await run(folder.path, [...args, '--slurm', '--mem=100M'], {
      env: slurm.env,
      meanwhile: async () => {
        await untilAsync('a job requests more', async () => {
          const listed = await slurm.run('squeue', '--noheader', '--format=%m')
          for (const memory of listed.split('\n')) asked.add(memory.trim())
          return asked.has('400M')
        })
      },
    })
    assert.equal(code, 0, stderr)
    assert.deepEqual([result.tasks[0].completed, asked.has('100M')], [8, true])
  })
})
