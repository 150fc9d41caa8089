import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { bellis, runLine, temporaryFolder } from '../support/command-line.ts'
import { until } from '../support/processes.ts'
import { runsIn } from '../support/recorded-runs.ts'

const folder = temporaryFolder()
after(() => folder[Symbol.dispose]())
const { path: cwd } = folder

/** Two tasks in two modules; blocks 3 and 6 of the second one fail unless its helper is mended. */
const FILES = {
  'first.ts': `import { defineTask, roi, z } from 'bellis'
export const blocks = { totalRoi: roi([0], [8]), readRoi: roi([0], [1]), writeRoi: roi([0], [1]), readWriteConflict: false }
export const first = defineTask({ name: 'first', config: z.object({}), plan: () => blocks, setup: () => () => {} })`,
  'second.ts': `import { defineTask, z } from 'bellis'
import { blocks } from './first.ts'
import { check } from './helper.ts'
export const second = defineTask({ name: 'second', config: z.object({}), plan: () => blocks, setup: () => ({ index }) => check(index) })`,
  'chain.ts': `import { definePipeline, z } from 'bellis'
import { first } from './first.ts'
import { second } from './second.ts'
export { first, second }
export default definePipeline({ config: z.object({}), tasks: () => {
  const before = first({})
  return [before, second({}, { after: [before] })]
} })`,
  'helper.ts': "export const check = (index: number) => { if (index % 3 === 0 && index > 0) throw new Error('a bug') }",
}
for (const [name, text] of Object.entries(FILES)) writeFileSync(join(cwd, name), text)

const run = async (expected = 0) => {
  const args = ['run', 'chain.ts', '--max-retries', '0', '--pool', 'inline', '--workers', '1', '--json']
  const { code, stdout, stderr } = await bellis(args, { cwd })
  assert.equal(code, expected, stderr)
  const skipped = JSON.parse(stdout).tasks.map((task: { skipped: number }) => task.skipped)
  return { skipped, stderr }
}
const codes = () =>
  JSON.parse(readFileSync(join(cwd, '.bellis', runsIn(cwd)[0] as string, 'provenance.json'), 'utf8')).starts.map(
    ({ tasks }: { tasks: { code: string }[] }) => tasks.map(({ code }) => code),
  )

describe('a run whose code has changed', () => {
  it('says once which blocks are of the older code, since when, and how to do them again; the printed command does', async () => {
    const before = await run(1)
    assert.doesNotMatch(before.stderr, /The code has changed/)
    writeFileSync(join(cwd, 'helper.ts'), 'export const check = (_: number) => {}')
    const mended = await run()
    assert.deepEqual(mended.skipped, [8, 6])
    const date = '\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d(?: to \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d)?'
    assert.match(
      mended.stderr,
      new RegExp(
        `The code has changed\\. second: 6 of its 6 completed blocks were done by older code \\(${date}\\)\\. `,
      ),
    )
    const [line = ''] = /bellis reset \S+ --task second(?=, then this command\.)/.exec(mended.stderr) ?? []
    const [[first, old], [same, changed]] = codes()
    assert.equal(first, same)
    assert.notEqual(old, changed)
    const again = await run()
    assert.deepEqual(again.skipped, [8, 8])
    assert.doesNotMatch(again.stderr, /The code has changed/)
    const asked = await runLine(line, { cwd })
    assert.equal(asked.code, 2)
    assert.match(asked.stderr, /will forget blocks: 8 completed of second; add --yes to confirm/)
    assert.equal((await runLine(`${line} --yes`, { cwd })).code, 0)
    assert.deepEqual((await run()).skipped, [8, 0])
    assert.equal(codes().length, 4)
  })

  it('is mentioned by status and runs until no block is of older code', async () => {
    const status = async (...more: string[]) => {
      const { code, stdout, stderr } = await bellis(['status', 'last', ...more], { cwd })
      assert.equal(code, 0, stderr)
      return stdout.replaceAll(/\s+/g, ' ')
    }
    const older = async () => JSON.parse(await status('--json')).olderBlocks
    assert.deepEqual(await older(), [])
    assert.doesNotMatch(await status(), /code/)
    writeFileSync(join(cwd, 'helper.ts'), 'export const check = (_: number): void => {}')
    for (const isFirst of [true, false]) {
      assert.equal(/The code has changed/.test((await run()).stderr), isFirst)
      const [{ task, blocks, completed, isExact }, ...others] = await older()
      // Nothing was left to do with the new code, so the code of the last start has done no block.
      assert.deepEqual([task, blocks, completed, isExact, others], ['second', 8, 8, true, []])
      const listed = await bellis(['runs'], { cwd })
      assert.match(listed.stdout.replaceAll(/\s+/g, ' '), /blocks of older code: bellis status \S+/)
      const said = await status()
      assert.match(
        said,
        /! Not all blocks were done by the same code\. second: 8 of its 8 completed blocks were done by older code \(.*\)\. To do them again with the code as it is: bellis reset \S+ --task second, then bellis resume \S+\./,
      )
    }
    const [line = ''] = /bellis reset \S+ --task second/.exec(await status()) ?? []
    assert.equal((await runLine(`${line} --yes`, { cwd })).code, 0)
    await run()
    assert.deepEqual(await older(), [])
  })

  it('forgets with a task what depends on it', async () => {
    const reset = async (...args: string[]) => bellis(['reset', 'last', ...args, '--yes', '--json'], { cwd })
    assert.deepEqual(JSON.parse((await reset('--task', 'first', '--roi', '2:3')).stdout), [
      { id: 'first', blocks: 3, failedAttempts: 0 },
      { id: 'second', blocks: 3, failedAttempts: 0 },
    ])
    assert.deepEqual(JSON.parse((await reset('--task', 'first')).stdout), [
      { id: 'first', blocks: 5, failedAttempts: 0 },
      { id: 'second', blocks: 5, failedAttempts: 0 },
    ])
    const unknown = await reset('--task', 'third')
    assert.equal(unknown.code, 2)
    assert.match(unknown.stderr, /The run has no task "third"; its tasks are first, second\./)
  })
})

/** Writes a number to each of its 8 voxels, but fails for one of them. */
const writerOf = (value: number, fails: number) => `import { defineTask, roi, z } from 'bellis'
const block = roi([0], [1])
export default defineTask({
  name: 'writer', config: z.object({}),
  plan: async (_, { arrays }) => {
    const written = await arrays.create('out.zarr/a', { shape: [8], dtype: 'uint8', chunkShape: [1] })
    return { totalRoi: written.roi, readRoi: block, writeRoi: block, readWriteConflict: false, writes: [written] }
  },
  setup: async (_, { arrays }) => {
    const written = await arrays.open('out.zarr/a', { mode: 'r+' })
    return async ({ index, writeRoi }) => {
      if (index === ${fails}) throw new Error('a bug')
      await written.write(writeRoi, Uint8Array.of(${value}))
    }
  },
})`

describe('blocks of a stopped run that are forgotten in part', () => {
  it('may be of either code: those that are left are never counted too low, also by info of their output', async () => {
    using place = temporaryFolder()
    const call = async (expected: number, ...args: string[]) => {
      const done = await bellis(args, { cwd: place.path })
      assert.equal(done.code, expected, `${args.join(' ')}: ${done.stderr}`)
      return done.stdout
    }
    const start = (value: number, fails = -1) => {
      writeFileSync(join(place.path, 'writer.ts'), writerOf(value, fails))
      return call(fails < 0 ? 0 : 1, 'run', 'writer.ts', '--max-retries', '0', '--pool', 'inline', '--quiet')
    }
    const olderIn = async (...args: string[]) =>
      JSON.parse(await call(0, ...args, '--json')).olderBlocks.map(
        ({ blocks, completed, isExact }: Record<string, unknown>) => [blocks, completed, isExact],
      )
    await start(1, 2)
    assert.deepEqual(await olderIn('info', 'out.zarr/a'), [])
    await start(2)
    assert.deepEqual(await olderIn('status', 'last'), [[7, 8, true]])
    await call(0, 'reset', 'last', '--roi', '0:1', '--yes', '--quiet')
    assert.deepEqual(await olderIn('status', 'last'), [[7, 7, false]], 'all that are left may be of older code')
    await start(2)
    assert.deepEqual(await olderIn('status', 'last'), [[7, 8, false]])
    assert.deepEqual(await olderIn('info', 'out.zarr/a'), [[7, 8, false]])
    const info = (await call(0, 'info', 'out.zarr/a')).replaceAll(/\s+/g, ' ')
    assert.match(
      info,
      / outdated Not all blocks were done by the same code\. writer: up to 7 of its 8 completed blocks were done by older code \(.*\)\. To do them again with the code as it is: bellis reset \S+ --task writer, then bellis resume/,
    )
    await call(0, 'reset', 'last', '--yes', '--quiet')
    await start(2)
    assert.deepEqual(await olderIn('info', 'out.zarr/a'), [])
    assert.doesNotMatch(await call(0, 'info', 'out.zarr/a'), /outdated/)
  })
})

/** Blocks say which code has done them; block 2 fails until the task is mended, and the last one waits for a file. */
const factorOf = (factor: number, fails: number) => `import { appendFileSync, existsSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { defineTask, roi, z } from 'bellis'
export default defineTask({
  name: 'live', config: z.object({}),
  plan: () => ({ totalRoi: roi([0], [8]), readRoi: roi([0], [1]), writeRoi: roi([0], [1]), readWriteConflict: false }),
  setup: () => async ({ index }) => {
    if (index === ${fails}) throw new Error('a bug')
    if (index === 7) appendFileSync('waits', '')
    while (index === 7 && !existsSync('gate')) await wait(25)
    appendFileSync('done', '${factor}')
  },
})`

describe('code that changes while its run is running', () => {
  it('is noticed when a worker has loaded it, at the end of the run, by status, and by the next start if it is back', async () => {
    using live = temporaryFolder()
    const at = (name: string) => join(live.path, name)
    const write = (factor: number, fails: number) => writeFileSync(at('live.ts'), factorOf(factor, fails))
    const start = ['run', 'live.ts', '--workers', '1', '--max-retries', '0']
    write(1, 2)
    const first = await bellis(start, {
      cwd: live.path,
      meanwhile: async () => {
        await until('the last block waits', () => existsSync(at('waits')))
        write(2, -1)
        const retried = await bellis(['retry', 'last'], { cwd: live.path })
        assert.equal(retried.code, 0, retried.stderr)
        writeFileSync(at('gate'), '')
      },
    })
    assert.equal(first.code, 0, first.stderr)
    assert.equal(readFileSync(at('done'), 'utf8'), '11111112', 'the running block has kept its code')
    const text = first.stderr.replaceAll(/\s+/g, ' ')
    const reset = /To do them again with this code: bellis reset \S+ --task live/.source
    for (const said of [
      `The code has changed, and workers that have just started use it as it is now\\. live: 7 of its 7 completed blocks were done by older code \\([^)]*\\)\\. ${reset}\\.`,
      `The code changed during the run\\. live: 7 of its 8 completed blocks were done by older code \\([^)]*\\)\\. ${reset}, then this command\\.`,
    ])
      assert.match(text, new RegExp(said))
    const older = async () => {
      const { stdout } = await bellis(['status', 'last', '--json'], { cwd: live.path })
      return JSON.parse(stdout).olderBlocks.map(({ blocks, isExact }: { blocks: number; isExact: boolean }) => [
        blocks,
        isExact,
      ])
    }
    assert.deepEqual(await older(), [[7, true]])
    const same = await bellis(start, { cwd: live.path })
    assert.doesNotMatch(same.stderr, /code/)
    write(1, 2)
    const back = await bellis(start, { cwd: live.path })
    assert.match(
      back.stderr.replaceAll(/\s+/g, ' '),
      /The code has changed\. live: 1 of its 8 completed blocks were done by older code/,
    )
    assert.deepEqual(await older(), [[1, true]])
  })

  it('may be of both kinds if older workers go on', async () => {
    using live = temporaryFolder()
    const at = (name: string) => join(live.path, name)
    const write = (factor: number) => writeFileSync(at('live.ts'), factorOf(factor, -1))
    write(1)
    const { code, stderr } = await bellis(['run', 'live.ts', '--workers', '1'], {
      cwd: live.path,
      meanwhile: async () => {
        await until('the last block waits', () => existsSync(at('waits')))
        write(2)
        const { stderr } = await bellis(['reset', 'last', '--roi', '0:4', '--keep-workers', '--yes'], {
          cwd: live.path,
        })
        assert.equal(stderr, '')
        await bellis(['scale', 'last', '--workers', '2'], { cwd: live.path })
        await until('the second worker has done a block', () => readFileSync(at('done'), 'utf8').includes('2'))
        writeFileSync(at('gate'), '')
      },
    })
    assert.equal(code, 0, stderr)
    const [, said = ''] =
      /The code changed during the run\. live: up to (\d) of its 8 completed blocks were done by older code/.exec(
        stderr.replaceAll(/\s+/g, ' '),
      ) ?? []
    const done = readFileSync(at('done'), 'utf8')
    const older = done.replaceAll('2', '').length - 4
    assert.ok(Number(said) >= older, `at least ${older} of the blocks that were not forgotten: ${stderr}`)
  })
})
