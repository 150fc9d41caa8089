import assert from 'node:assert/strict'
import { readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, userInfo } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { Provenance } from '../../src/entry/run-folder/provenance/provenance-file.ts'
import { bellis, dyingAt, program, temporaryFolder } from '../support/command-line.ts'
import { firstTask, runsIn } from '../support/recorded-runs.ts'

const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
const folder = temporaryFolder()
after(() => folder[Symbol.dispose]())
const cwd = folder.path
const call = async (args: readonly string[], expected = 0, env: NodeJS.ProcessEnv = {}) => {
  const done = await bellis(args, { cwd, env })
  assert.equal(done.code, expected, `${args.join(' ')}: ${done.stderr}`)
  return done
}
const inline = ['--pool', 'inline', '--workers', '1', '--quiet']
const RAW = 'sample.hdf/volumes/raw'
const attributesOf = (path: string) => JSON.parse(readFileSync(join(cwd, path, 'zarr.json'), 'utf8')).attributes
const runOf = (path: string): string => attributesOf(path).bellis.run
const provenanceOf = (run: string): Provenance =>
  JSON.parse(readFileSync(join(cwd, '.bellis', run, 'provenance.json'), 'utf8'))
const isTime = (text: unknown) => typeof text === 'string' && new Date(text).toISOString() === text

before(() => call(['sample', 'sample.hdf', '--size', '16,96,96', '--quiet']))

describe('the attribute "bellis" of an output', () => {
  it('says what made it: version, task, configuration, inputs, run, record, start and end', async () => {
    await call(['smooth', RAW, 'out.zarr/smoothed', '--sigma', '2', '--mode', 'reflect', ...inline])
    const { bellis: made, voxel_size } = attributesOf('out.zarr/smoothed')
    const { started, ended, ...others } = made
    assert.ok(isTime(started) && isTime(ended) && started < ended)
    const [run] = runsIn(cwd) as [string]
    const mark = JSON.parse(readFileSync(join(cwd, 'out.zarr/smoothed/.bellis-run'), 'utf8'))
    assert.deepEqual(others, {
      version: manifest.version,
      task: 'smooth',
      config: { input: RAW, output: 'out.zarr/smoothed', sigma: 2, mode: 'reflect' },
      inputs: [join(realpathSync(cwd), RAW)],
      run,
      record: mark.id,
    })
    assert.equal(started, mark.started)
    assert.equal(voxel_size.length, 3, 'the other attributes are there')
  })

  it('is shown by bellis info in a few lines, and whole with --json', async () => {
    const { stdout } = await call(['info', 'out.zarr/smoothed'], 0, { TZ: 'UTC' })
    const { bellis: made } = attributesOf('out.zarr/smoothed')
    assert.match(stdout, new RegExp(`made by +smooth of Bellis ${manifest.version}, run ${made.run}\n`))
    assert.match(stdout, /made from +\/.*sample\.hdf\/volumes\/raw\n/)
    assert.match(stdout, /parameters +sigma=2 mode=reflect\n/)
    assert.match(stdout, new RegExp(`made at +${made.started.slice(0, 10)} ${made.started.slice(11, 16)}( to .*)?\n`))
    const document = JSON.parse((await call(['info', 'out.zarr/smoothed', '--json'])).stdout)
    assert.deepEqual(document.attributes.bellis, made)
  })

  it('is in Zarr 2 as well, and a copy has its own', async () => {
    await call(['convert', 'out.zarr/smoothed', 'two.zarr/copy', '--zarr-format', '2', ...inline])
    const { bellis: made, resolution } = JSON.parse(readFileSync(join(cwd, 'two.zarr/copy/.zattrs'), 'utf8'))
    assert.deepEqual([made.task, made.inputs], ['convert', [join(realpathSync(cwd), 'out.zarr/smoothed')]])
    assert.ok(isTime(made.ended))
    assert.equal(resolution.length, 3)
  })

  it('is in every output of a chain, of every level of a pyramid, and of all parts of a labelling', async () => {
    await call(['downsample', 'out.zarr/smoothed', '--levels', '2', ...inline])
    for (const level of [1, 2]) {
      const { task, id, inputs, ended } = attributesOf(`out.zarr/smoothed_s${level}`).bellis
      assert.deepEqual([task, id], ['downsample', `downsample-${level}`])
      const finer = level === 1 ? 'smoothed' : 'smoothed_s1'
      assert.deepEqual(inputs, [join(realpathSync(cwd), 'out.zarr', finer)])
      assert.ok(isTime(ended))
    }
    await call(['threshold', 'out.zarr/smoothed', 'out.zarr/mask', '--above', '128', ...inline])
    await call(['label', 'out.zarr/mask', 'out.zarr/labels', ...inline])
    const made = attributesOf('out.zarr/labels').bellis
    assert.ok(isTime(made.ended))
    assert.ok(made.inputs.includes(join(realpathSync(cwd), 'out.zarr/mask')))
    const { tasks, starts } = provenanceOf(made.run)
    for (const output of tasks.flatMap(({ outputs }) => outputs)) {
      const at = output.slice(realpathSync(cwd).length + 1)
      assert.equal(attributesOf(at).bellis.record, made.record, at)
    }
    assert.deepEqual(
      starts[0]?.inputs.map(({ path, record }) => [path, record]),
      [[join(realpathSync(cwd), 'out.zarr/mask'), attributesOf('out.zarr/mask').bellis.record]],
      'only what no task of the run writes, with the record of what made it',
    )
  })

  it('has no end for a task with failed blocks, and no secrets', async () => {
    writeFileSync(
      join(cwd, 'halves.ts'),
      `import { defineTask, definePipeline, roi, z } from 'bellis'
      const config = z.object({ output: z.string(), fails: z.boolean(), apiToken: z.string(), source: z.string() })
      export const fill = defineTask({
        name: 'fill', config,
        plan: async ({ output }, { arrays }) => {
          const array = await arrays.create(output, { shape: [4], dtype: 'uint8', chunkShape: [1] })
          return { totalRoi: array.roi, readRoi: roi([0], [1]), writeRoi: roi([0], [1]), readWriteConflict: false, writes: [array] }
        },
        setup: ({ fails }) => ({ index }) => { if (fails && index === 2) throw new Error('no') },
      })
      const own = { apiToken: 'swordfish', source: 'https://host/a.zarr?signature=swordfish' }
      export default definePipeline({ config: z.object({}), tasks: () => [
        fill({ ...own, output: 'parts.zarr/good', fails: false }, { id: 'good' }),
        fill({ ...own, output: 'parts.zarr/bad', fails: true }, { id: 'bad' }),
      ] })`,
    )
    await call(['run', 'halves.ts', '--max-retries', '0', ...inline], 1)
    const [good, bad] = ['good', 'bad'].map((name) => attributesOf(`parts.zarr/${name}`).bellis)
    assert.ok(isTime(good.ended))
    assert.equal(bad.ended, undefined)
    const { output, fails, ...hidden } = good.config
    assert.deepEqual(hidden, { apiToken: '…', source: 'https://host/a.zarr?…' })
    const text = readFileSync(join(cwd, '.bellis', good.run, 'provenance.json'), 'utf8')
    assert.doesNotMatch(text, /swordfish/)
    assert.equal(JSON.parse(text).starts[0].outcome, 'failed')
    assert.match((await call(['info', 'parts.zarr/bad'])).stdout, /made at +started .*, not finished\n/)
  })
})

describe('provenance.json', () => {
  it('has the exact command, the versions, who ran it where, and what the inputs were', () => {
    const { run, record, tasks, starts } = provenanceOf(runOf('out.zarr/smoothed'))
    assert.deepEqual([run, record], [runOf('out.zarr/smoothed'), attributesOf('out.zarr/smoothed').bellis.record])
    const [task] = tasks
    assert.deepEqual(
      [task?.module, task?.outputs],
      ['bellis:tasks/smooth', [join(realpathSync(cwd), 'out.zarr/smoothed')]],
    )
    const [start, ...more] = starts
    assert.ok(start)
    assert.deepEqual(more, [])
    const argv = ['bellis', 'smooth', RAW, 'out.zarr/smoothed', '--sigma', '2', '--mode', 'reflect', ...inline]
    assert.deepEqual(start.command, {
      line: argv.join(' '),
      argv,
      directory: realpathSync(cwd),
      node: [process.execPath],
      program: realpathSync(program),
    })
    assert.deepEqual(start.versions, {
      bellis: manifest.version,
      node: process.version,
      system: `${process.platform} ${process.arch}`,
    })
    assert.deepEqual([start.host, start.user, start.outcome], [hostname(), userInfo().username, 'done'])
    const [input] = start.inputs
    assert.deepEqual([input?.format, input?.shape, input?.dtype], ['hdf5', [16, 96, 96], 'uint8'])
    assert.ok((input?.bytes ?? 0) > 1000 && isTime(input?.modified))
  })

  it('has every start of a run: one that was killed has no end, and the output keeps the first start', async () => {
    const args = ['smooth', RAW, 'resumed.zarr/a', '--block-write', '4,24,24', '--workers', '1', '--quiet']
    await call(args, 'SIGKILL' as never, dyingAt(0))
    const before = attributesOf('resumed.zarr/a').bellis
    assert.equal(before.ended, undefined)
    await call(args)
    const complete = readFileSync(join(cwd, 'resumed.zarr/a/zarr.json'), 'utf8')
    const { ended, ...rest } = JSON.parse(complete).attributes.bellis
    assert.deepEqual(rest, before)
    assert.ok(isTime(ended))
    await call(args)
    assert.equal(readFileSync(join(cwd, 'resumed.zarr/a/zarr.json'), 'utf8'), complete, 'nothing was left to do')
    const { starts } = provenanceOf(before.run)
    assert.deepEqual(
      starts.map(({ outcome }) => outcome),
      [undefined, 'done', 'done'],
    )
    assert.deepEqual([starts[0]?.started, starts[1]?.ended], [before.started, ended])
    assert.deepEqual(
      readdirSync(join(cwd, '.bellis', before.run)).filter((name) => name.startsWith('provenance')),
      ['provenance.json'],
    )
  })

  it('begins anew with --overwrite, which makes another record', async () => {
    const { run, record } = attributesOf('resumed.zarr/a').bellis
    await call([
      ...['smooth', RAW, 'resumed.zarr/a', '--block-write', '4,24,24', '--workers', '1', '--quiet'],
      ...['--overwrite', '--yes'],
    ])
    const made = attributesOf('resumed.zarr/a').bellis
    assert.notEqual(made.record, record)
    const now = provenanceOf(run)
    assert.deepEqual([now.record, now.starts.length], [made.record, 1])
  })

  it('is written again by a run whose folder lost it', async () => {
    const { run } = attributesOf('resumed.zarr/a').bellis
    rmSync(join(cwd, '.bellis', run, 'provenance.json'))
    const { stdout } = await call([
      ...['smooth', RAW, 'resumed.zarr/a', '--block-write', '4,24,24', '--workers', '1', '--json'],
    ])
    assert.equal(firstTask({ result: JSON.parse(stdout) } as never).skipped, 64)
    assert.equal(provenanceOf(run).starts.length, 1)
  })
})
