import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, it } from 'node:test'
import { Command } from 'commander'
import { type RunFlags, runOptions, runOptionsOf } from '../../../src/entry/cli/options.ts'
import { readSite } from '../../../src/entry/cli/sites/site.ts'
import type { TaskLike } from '../../../src/runtime/tasks/task-node.ts'
import { documents } from '../../docs/markdown.ts'
import { temporaryFolder } from '../../support/command-line.ts'

const home = process.env.XDG_CONFIG_HOME

afterEach(() => {
  if (home === undefined) delete process.env.XDG_CONFIG_HOME
  else process.env.XDG_CONFIG_HOME = home
})

const task = (id: string, after: readonly TaskLike[] = []) => ({ id, after }) as unknown as TaskLike
const predict = task('predict')
const TASKS = [task('smooth', [predict])]

const optionsOf = (...words: string[]) => {
  const command = runOptions(new Command('x').exitOverride().configureOutput({ writeErr: () => {} }))
  return runOptionsOf(command.parse(words, { from: 'user' }).opts<RunFlags>(), TASKS)
}

function writeSite(folder: string, name: string, content: unknown): void {
  process.env.XDG_CONFIG_HOME = folder
  mkdirSync(join(folder, 'bellis/sites'), { recursive: true })
  writeFileSync(join(folder, 'bellis/sites', name), JSON.stringify(content))
}

describe('flags for single tasks', () => {
  it('stand beside those for all tasks, in any order', () => {
    const options = optionsOf(
      ...['--pool', 'predict:slurm', '--pool', 'process', '--slurm', 'predict:--partition=gpu --comment=a:b'],
      ...['--slurm', '--time=5'],
    )
    assert.equal(options.pool, 'process')
    assert.equal(options.slurm, '--time=5')
    assert.deepEqual(options.taskPools, { predict: { pool: 'slurm', slurm: '--partition=gpu --comment=a:b' } })
    assert.equal(optionsOf('--slurm', '--comment=a:b').slurm, '--comment=a:b')
    assert.deepEqual([optionsOf().pool, optionsOf().taskPools], [undefined, undefined])
  })

  it("refuse a pool that a single task or the run can't have", () => {
    assert.throws(() => optionsOf('--pool', 'predict:none'), /expected process, thread, slurm/)
    assert.throws(() => optionsOf('--pool', 'cloud'), /expected process/)
  })
})

describe('the profile of a site', () => {
  it('gives defaults, which flags override one by one, also for single tasks that the run has', () => {
    using folder = temporaryFolder()
    writeSite(folder.path, 'lab.json', {
      description: 'our cluster',
      pool: 'slurm',
      slurm: '--partition=cpu',
      workers: 200,
      host: '10.0.0.1',
      tasks: { predict: { slurm: '--partition=gpu' }, 'of another run': { pool: 'thread' } },
    })
    const options = optionsOf('--site', 'lab', '--workers', '3', '--pool', 'predict:sge')
    assert.deepEqual(options, {
      pool: 'slurm',
      slurm: '--partition=cpu',
      workers: 3,
      host: '10.0.0.1',
      onStall: 'end',
      taskPools: { predict: { pool: 'sge', slurm: '--partition=gpu' } },
    })
    assert.equal(optionsOf('--site', 'lab', '--slurm', '--partition=long').slurm, '--partition=long')
    assert.equal(optionsOf('--site', join(folder.path, 'bellis/sites/lab.json')).workers, 200)
  })

  it('may be as the documents show it', () => {
    using folder = temporaryFolder()
    const shown = documents().flatMap(({ blocks }) => blocks.filter(({ mark }) => mark === 'site'))
    for (const { text } of shown) {
      writeSite(folder.path, 'lab.json', JSON.parse(text))
      assert.equal(readSite('lab').workers, 200)
    }
    assert.equal(shown.length, 1)
  })

  it('is refused with its file and field if it is wrong, and with those that there are if it is missing', () => {
    using folder = temporaryFolder()
    writeSite(folder.path, 'lab.json', { pool: 'cloud' })
    assert.throws(() => readSite('lab'), { code: 'INVALID_CONFIG', message: /lab\.json: "pool": .*"process"/ })
    writeSite(folder.path, 'other.json', { partition: 'gpu' })
    assert.throws(() => readSite('other'), { code: 'INVALID_CONFIG', message: /other\.json: .*"partition"/ })
    assert.throws(() => readSite('labs'), {
      code: 'NO_SUCH_FILE',
      message: /--site labs: expected a profile in .*labs\.json; there are: lab, other\.$/,
    })
    process.env.XDG_CONFIG_HOME = join(folder.path, 'none')
    assert.throws(() => readSite('lab'), /there are none yet/)
  })
})
