import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
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
  it('tells runs apart: when, how long, condition, blocks, data, and the parameters that differ; the last active first', async () => {
    const { stdout } = await call('runs')
    const [header = '', bug = '', continuation = '', second = '', first = '', ...others] = stdout.split('\n')
    assert.deepEqual(others, [''])
    assert.match(header, /^RUN +ACTIVE +TOOK +CONDITION +DONE +DATA +PARAMETERS$/)
    const time = '\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d +[\\d.]+ m?s'
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

  it('says which run has replaced an output since, and offers no command to continue', async () => {
    using other = temporaryFolder()
    const at = (...args: string[]) => bellis(args, { cwd: other.path })
    const input = join(folder.path, 'sample.hdf/volumes/raw')
    const smooth = (sigma: number, ...more: string[]) =>
      at('smooth', input, 'out.zarr/s', '--sigma', String(sigma), '--pool', 'inline', '--quiet', ...more)
    assert.equal((await smooth(1)).code, 0)
    const [first] = JSON.parse((await at('runs', '--json')).stdout)
    assert.deepEqual(first.replaced, [])
    // It would have a command to continue it.
    assert.equal((await at('reset', first.run, '--yes')).code, 0)
    assert.equal((await smooth(2, '--overwrite', '--yes')).code, 0)
    const [second, before] = JSON.parse((await at('runs', '--json')).stdout)
    assert.deepEqual([second.replaced, before.run, before.continueWith], [[], first.run, undefined])
    const [{ path, run, started }, ...more] = before.replaced
    assert.deepEqual([path, run, more], ['out.zarr/s', second.run, []])
    assert.ok(Number.isFinite(Date.parse(started)))
    const listed = await at('runs')
    assert.match(listed.stdout, new RegExp(`^${first.run} .*\\n  replaced by ${second.run}\\n$`, 'm'))
    const text = (await at('status', first.run)).stdout.replaceAll(/\s+/g, ' ')
    assert.ok(text.includes(`! out.zarr/s was replaced by ${second.run}, started `), text)
    assert.match(text, /no longer there\. To make it again: bellis resume \S+ -- --overwrite/)
    assert.doesNotMatch(text, /To continue/)
    const status = JSON.parse((await at('status', first.run, '--json')).stdout)
    assert.deepEqual([status.replaced, status.continueWith], [before.replaced, undefined])
    assert.doesNotMatch((await at('status', second.run)).stdout, /replaced/)
    // The command that is printed makes it again, and then it is the other one that was replaced.
    const again = /bellis resume \S+ -- --overwrite/.exec(text)?.[0] ?? ''
    assert.equal((await runLine(`${again} --yes`, { cwd: other.path })).code, 0)
    const after = JSON.parse((await at('runs', '--json')).stdout)
    const replacedBy = after.map((each: { replaced: { run: string }[] }) => each.replaced[0]?.run)
    assert.deepEqual(replacedBy, [undefined, first.run])
  })

  it('has the same for programs', async () => {
    const [bug, second, first] = await json('runs')
    const of = ({ from, to, parameters }: Record<string, unknown>) => ({ from, to, parameters })
    const from = 'sample.hdf/volumes/raw'
    assert.deepEqual(of(first), { from, to: 'out.zarr/by-1', parameters: { sigma: 1 } })
    assert.deepEqual(of(second), { from, to: 'out.zarr/by-2', parameters: { sigma: 2 } })
    assert.ok(Date.parse(second.active) > Date.parse(first.active))
    assert.equal(first.continueWith, undefined)
    assert.equal(first.ended, first.active)
    assert.ok(first.seconds > 0 && first.seconds < 600, first.seconds)
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
      /^bellis: smooth: expected one run, but 2 have names that start with it; write more of the name: smooth-\S+-\w{8}, smooth-\S+-\w{8}\n$/,
    )
    const none = await call('status', 'nothing')
    assert.equal(none.code, 2)
    assert.match(none.stderr, /There is no run "nothing": .*; bellis runs lists the runs\.\n$/)
  })

  it('says when a run ended and how long it took, also with its earlier starts', async () => {
    const started = /^ {2}started +\S+ \S+, ended \S+ \S+, took [\d.]+ m?s$/m
    assert.match((await call('status', 'has-bug')).stdout, started)
    const before = await json('status', 'has-bug')
    assert.equal(before.live.earlierSeconds, undefined)
    const again = await call('resume', 'has-bug')
    assert.equal(again.code, 1, again.stderr)
    assert.match((await call('status', 'has-bug')).stdout, /, took [\d.]+ m?s, [\d.]+ m?s with its earlier starts$/m)
    const after = await json('status', 'has-bug')
    assert.equal(after.live.earlierSeconds, before.seconds)
    assert.ok(after.seconds > before.seconds)
    assert.ok(Date.parse(after.ended) > Date.parse(before.ended))
  })

  it('shows failures grouped by error, with their regions and how to continue, as the run itself does', async () => {
    const command = ['smooth', 'sample.hdf/volumes/raw', 'damaged.zarr/s', '--pool', 'inline', '--max-retries', '0']
    const first = await call(...command, '--block-write', '4,24,24', '--quiet')
    assert.equal(first.code, 0, first.stderr)
    for (const name of ['0', '1']) {
      writeFileSync(join(folder.path, `damaged.zarr/s/c/${name}/0/0`), 'no chunk')
    }
    const again = ['smooth', 'damaged.zarr/s', 'damaged.zarr/t', ...command.slice(3), '--sigma', '0.1']
    const failed = await call(...again, '--block-write', '4,24,24')
    assert.equal(failed.code, 1, failed.stderr)
    // The first block is the last one in the record.
    assert.equal((await call(...again, '--block-write', '4,24,24', '--only', '0:4,0:24,0:24')).code, 1)
    const regions = ['0: 0,0,0:160,96,96 nm, voxels 0:4,0:24,0:24', '4: 160,0,0:160,96,96 nm, voxels 4:8,0:24,0:24']
    const { stdout } = await call('status', 'last')
    for (const text of [failed.stderr, stdout]) {
      assert.match(
        text,
        /^failed smooth\/\d after 1 attempt, and 1 more block with a similar error: .*damaged\.zarr\/s/m,
      )
      for (const region of regions) assert.ok(text.includes(`\n  smooth/${region}\n`), text)
      assert.match(text, /\nTo continue: bellis smooth damaged\.zarr\/s damaged\.zarr\/t .*\n$/)
    }
    const { failures, errors } = await json('status', 'last')
    assert.deepEqual(
      failures.map(({ block, region }: { block: string; region: object }) => [block, region]),
      [
        ['smooth/0', { nm: '0,0,0:160,96,96', voxels: '0:4,0:24,0:24' }],
        ['smooth/4', { nm: '160,0,0:160,96,96', voxels: '4:8,0:24,0:24' }],
      ],
    )
    assert.deepEqual(errors.length, 1)
    assert.deepEqual([errors[0].count, errors[0].blocks], [2, ['smooth/0', 'smooth/4']])
  })

  it('says why a task was abandoned', async () => {
    const source = WITH_BUG.replace("name: 'has-bug'", "name: 'no-model'").replace(
      'setup: () =>',
      "setup: () => { throw new Error('there is no model') },\n  ignored: () =>",
    )
    writeFileSync(join(folder.path, 'no-model.ts'), source.replace(/\n {2}ignored.*/, ''))
    const { code, stderr } = await call('run', 'no-model.ts', '--word', 'x', '--workers', '1')
    assert.equal(code, 1, stderr)
    const { stdout } = await call('status', 'last')
    assert.match(stdout, /^abandoned Task "no-model" was abandoned: .*: there is no model \(/m)
    assert.equal((await json('status', 'last')).live.tasks[0].error.code, 'TASK_ABANDONED')
    rmSync(join(folder.path, '.bellis', (await json('status', 'last')).run), { recursive: true })
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
