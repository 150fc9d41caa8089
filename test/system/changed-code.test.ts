import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { bellis, runLine, temporaryFolder } from '../support/command-line.ts'
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
