import assert from 'node:assert/strict'
import { existsSync, realpathSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { bellis, runLine, temporaryFolder } from '../support/command-line.ts'
import { until } from '../support/processes.ts'
import { runsIn } from '../support/recorded-runs.ts'

const folder = temporaryFolder()
after(() => folder[Symbol.dispose]())
const cwd = realpathSync(folder.path)
const call = async (...args: string[]) => {
  const done = await bellis(args, { cwd, env: { TZ: 'UTC' } })
  assert.equal(done.code, 0, `${args.join(' ')}: ${done.stderr}`)
  return { ...done, text: `${done.stdout}${done.stderr}`.replaceAll(/\s+/g, ' ') }
}
const inline = ['--pool', 'inline', '--workers', '1']
const RAW = 'sample.hdf/volumes/raw'
const smooth = (sigma: number, ...more: string[]) =>
  call('smooth', RAW, 'data.zarr/b', '--sigma', String(sigma), ...inline, ...more)
const threshold = (...more: string[]) =>
  call('threshold', 'data.zarr/b', 'data.zarr/c', '--above', '128', ...inline, ...more)
const runOf = (name: string) => runsIn(cwd).find((run) => run.startsWith(name)) as string

before(async () => {
  await call('sample', 'sample.hdf', '--size', '16,160,160', '--quiet')
  await smooth(2, '--quiet')
  await threshold('--quiet')
})

describe('a run whose input was made again', () => {
  it('is not called done: each start and status say which input, by which run, how many blocks, and how to do them again', async () => {
    assert.match((await threshold()).text, /✔ Nothing left to do/)
    await smooth(3, '--overwrite', '--yes', '--quiet')
    const again = runsIn(cwd).filter((run) => run.startsWith('smooth-'))
    const date = '\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d'
    const said = new RegExp(
      `An input changed: ${cwd}/data\\.zarr/b has changed \\(now written by run (smooth-data-b-\\S+), completed ${date}\\) since threshold did (\\d+) of its \\2 completed blocks \\(${date}( to ${date})?\\)\\. To do them again: bellis reset \\S+ --task threshold, then (this command; or add --overwrite|bellis resume (\\S+); or bellis resume \\5 -- --overwrite)\\.`,
    )
    for (const _ of ['the first start', 'the second']) {
      const { text } = await threshold()
      assert.match(text, said)
      assert.ok(again.includes(said.exec(text)?.[1] ?? ''), text)
      assert.match(
        text,
        /■ Nothing was done: all \d+ blocks were done before, but an input has changed since \(see above\)\./,
      )
      assert.doesNotMatch(text, /✔/)
    }
    const run = runOf('threshold')
    assert.match((await call('status', run)).text, said)
    assert.match((await call('info', 'data.zarr/c')).text, said)
    assert.match((await call('runs')).text, new RegExp(`inputs have changed since: bellis status \\S*${run}`))
    for (const args of [
      ['status', run, '--json'],
      ['runs', '--json'],
      ['info', 'data.zarr/c', '--json'],
    ]) {
      const [state] = [JSON.parse((await call(...args)).stdout)]
        .flat()
        .filter((each: { run?: string }) => each.run === run || args[0] === 'info')
      const [{ task, path, blocks, completed, isExact, run: author }, ...more] = state.changedInputs
      assert.deepEqual(
        [task, path, blocks, isExact, more],
        ['threshold', join(cwd, 'data.zarr/b'), completed, true, []],
      )
      assert.ok(again.includes(author))
    }
  })

  it('is done again by the printed commands, and is silent then', async () => {
    const { stderr } = await threshold()
    const [line = ''] = /bellis reset \S+ --task threshold/.exec(stderr.replaceAll(/\s+/g, ' ')) ?? []
    assert.equal((await runLine(`${line} --yes`, { cwd })).code, 0)
    const done = await threshold()
    assert.match(done.text, /✔ threshold/)
    const calm = await threshold()
    assert.match(calm.text, /✔ Nothing left to do/)
    for (const { text } of [done, calm, await call('status', runOf('threshold'))]) assert.doesNotMatch(text, /changed/)
  })

  it('knows a file by its time and size', async () => {
    const calm = await smooth(3)
    assert.doesNotMatch(calm.text, /changed/)
    utimesSync(join(cwd, 'sample.hdf'), new Date(), new Date(Date.now() + 5000))
    const { text } = await smooth(3)
    assert.match(text, /sample\.hdf\/volumes\/raw has changed \(written \d{4}-\d\d-\d\d \d\d:\d\d\) since smooth did/)
  })

  it('looks at the times of chunks where asked', async () => {
    const { execFileSync } = await import('node:child_process')
    const [chunk = ''] = execFileSync('find', [join(cwd, 'data.zarr/b/c'), '-type', 'f'], { encoding: 'utf8' }).split(
      '\n',
    )
    assert.doesNotMatch((await threshold('--check-inputs')).text, /changed/)
    utimesSync(chunk, new Date(), new Date(Date.now() + 5000))
    assert.doesNotMatch((await threshold()).text, /changed/)
    assert.match(
      (await threshold('--check-inputs')).text,
      /data\.zarr\/b has changed \(written .*\) since threshold did/,
    )
  })
})

describe('an input that is replaced while a run is reading it', () => {
  it('is named at the end of that run, and by the next start', async () => {
    writeFileSync(
      join(cwd, 'reader.ts'),
      `import { existsSync, writeFileSync } from 'node:fs'
      import { setTimeout as wait } from 'node:timers/promises'
      import { defineTask, z } from 'bellis'
      export default defineTask({
        name: 'reader', config: z.object({ input: z.string() }),
        plan: async ({ input }, { arrays }) => {
          const raw = await arrays.open(input)
          return { totalRoi: raw.roi, readRoi: raw.roi, writeRoi: raw.roi, readWriteConflict: false }
        },
        setup: () => async () => {
          writeFileSync('reads', '')
          while (!existsSync('replaced')) await wait(25)
        },
      })`,
    )
    const args = ['run', 'reader.ts', '--input', RAW, '--workers', '1']
    const said = new RegExp(
      `${RAW.replace('.', '\\.')} has changed \\(written .*\\) since reader did 1 of its 1 completed blocks \\(.*\\)\\. To do them again: bellis reset \\S+ --task reader, then this command; or add --overwrite\\.`,
    )
    const during = await bellis(args, {
      cwd,
      meanwhile: async () => {
        await until('the block reads', () => existsSync(join(cwd, 'reads')))
        utimesSync(join(cwd, 'sample.hdf'), new Date(), new Date(Date.now() + 9000))
        writeFileSync(join(cwd, 'replaced'), '')
      },
    })
    assert.equal(during.code, 0, during.stderr)
    const text = during.stderr.replaceAll(/\s+/g, ' ')
    assert.match(text, /An input changed while the run was reading: /)
    assert.match(text, said)
    const next = await call(...args)
    assert.match(next.text, said)
    assert.doesNotMatch(next.text, /while the run was reading/, 'it has not changed since this start')
  })
})
