import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { bellis, type CommandResult, runLine, temporaryFolder } from '../support/command-line.ts'

const folder = temporaryFolder()
after(() => folder[Symbol.dispose]())
const call = (...args: string[]): Promise<CommandResult> => bellis(args, { cwd: folder.path })
const json = async (...args: string[]) => JSON.parse((await call(...args, '--json')).stdout)

/** The run of a task whose last block fails unless there is a file "mended"; its name ends with a hash. */
const WITH_BUG = `import { existsSync } from 'node:fs'
import { defineTask, roi, z } from 'bellis'
export default defineTask({
  name: 'has-bug', config: z.object({ word: z.string() }),
  plan: () => ({ totalRoi: roi([0], [4]), readRoi: roi([0], [1]), writeRoi: roi([0], [1]), readWriteConflict: false }),
  setup: () => ({ index }) => { if (index === 3 && !existsSync('mended')) throw new Error('the bug') },
})`

before(async () => {
  await call('sample', 'sample.hdf', '--size', '8,48,48', '--quiet')
  const inline = ['--pool', 'inline', '--quiet']
  const input = 'sample.hdf/volumes/raw'
  for (const sigma of ['1', '2']) {
    const { code, stderr } = await call('smooth', input, `out.zarr/by-${sigma}`, '--sigma', sigma, ...inline)
    assert.equal(code, 0, stderr)
  }
  writeFileSync(join(folder.path, 'has-bug.ts'), WITH_BUG)
  const bug = await call(
    'run',
    'has-bug.ts',
    '--word',
    'two words',
    '--max-retries',
    '0',
    '--overwrite',
    '--yes',
    ...inline,
  )
  assert.equal(bug.code, 1, bug.stderr)
})

describe('bellis runs', () => {
  it('tells runs apart: when, condition, blocks, data, and the parameters that differ; the last active first', async () => {
    const { stdout } = await call('runs')
    const [header = '', bug = '', continuation = '', second = '', first = '', ...others] = stdout.split('\n')
    assert.deepEqual(others, [''])
    assert.match(header, /^RUN +ACTIVE +CONDITION +DONE +DATA +PARAMETERS$/)
    const time = '\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d'
    assert.match(bug, new RegExp(`^has-bug-\\w{8} +${time} +failed +3/4, 1 failed$`))
    assert.equal(
      continuation,
      "  to continue: bellis run has-bug.ts --word 'two words' --max-retries 0 --pool inline --quiet",
    )
    for (const [row, sigma] of [
      [second, 2],
      [first, 1],
    ] as const) {
      const data = `sample\\.hdf/volumes/raw → out\\.zarr/by-${sigma}`
      assert.match(row, new RegExp(`^smooth-\\S+-\\w{8} +${time} +done +1/1 +${data} +sigma=${sigma}$`))
    }
    const at = header.indexOf('DATA')
    assert.equal(first.slice(at, at + 6), 'sample', 'columns are aligned')
  })

  it('has the same for programs', async () => {
    const [bug, second, first] = await json('runs')
    const of = ({ from, to, parameters }: Record<string, unknown>) => ({ from, to, parameters })
    const from = 'sample.hdf/volumes/raw'
    assert.deepEqual(of(first), { from, to: 'out.zarr/by-1', parameters: { sigma: 1 } })
    assert.deepEqual(of(second), { from, to: 'out.zarr/by-2', parameters: { sigma: 2 } })
    assert.ok(Date.parse(second.active) > Date.parse(first.active))
    assert.equal(first.continueWith, undefined)
    assert.match(bug.continueWith, /^bellis run has-bug\.ts /)
    const { command } = JSON.parse(readFileSync(join(folder.path, bug.folder, 'run.json'), 'utf8'))
    assert.deepEqual(command.slice(0, 3), ['bellis', 'run', 'has-bug.ts'])
  })

  it('names runs that others find by the start of the name, another part of it, or as the last one', async () => {
    const names: string[] = (await json('runs')).map(({ run }: { run: string }) => run)
    assert.equal((await json('status', 'last')).run, names[0])
    assert.equal((await json('status', 'has')).run, names[0])
    assert.equal((await json('status', names[1]!.slice(0, -1))).run, names[1])
    assert.equal((await json('status', names[1]!.slice(-8))).run, names[1])
    const several = await call('status', 'smooth')
    assert.equal(several.code, 2)
    assert.match(
      several.stderr,
      /^bellis: smooth: expected one run, but smooth-\S+-\w{8}, smooth-\S+-\w{8} start like this; write more of the name\.\n$/,
    )
    const none = await call('status', 'nothing')
    assert.equal(none.code, 2)
    assert.match(none.stderr, /There is no run "nothing": .*; bellis runs lists the runs\.\n$/)
  })

  it('gives a command that continues a run, from another folder, too', async () => {
    const elsewhere = join(folder.path, 'else where')
    mkdirSync(elsewhere)
    writeFileSync(join(folder.path, 'mended'), '')
    const shown = await bellis(['status', join(folder.path, '.bellis', 'has-bug'), '--run-dir', '../.bellis'], {
      cwd: elsewhere,
    })
    assert.equal(shown.code, 2, 'a path is not the start of a name')
    const { stdout } = await bellis(['status', 'has-bug', '--run-dir', '../.bellis'], { cwd: elsewhere })
    const command = /^To continue: (.*)$/m.exec(stdout)?.[1] ?? ''
    assert.ok(command.startsWith('cd /') && command.includes(' && bellis run has-bug.ts '), stdout)
    const continued = await runLine(command, { cwd: elsewhere })
    assert.equal(continued.code, 0, continued.stderr)
    assert.ok(!existsSync(join(elsewhere, '.bellis')))
    const [{ run, condition, tasks, continueWith }] = await json('runs')
    assert.match(run, /^has-bug-/)
    assert.deepEqual([condition, tasks[0].completed, continueWith], ['done', 4, undefined])
  })
})
