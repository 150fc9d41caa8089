import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { bellis, type CommandResult, runLine, temporaryFolder } from '../support/command-line.ts'
import { ownMongodbOrSkip } from '../support/mongodb.ts'
import { until } from '../support/processes.ts'
import { runsIn } from '../support/recorded-runs.ts'

/** The text of every file below a folder, with its path. */
const textsIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())
    .map((path) => `${path}: ${readFileSync(path, 'latin1')}`)

describe('a run with its record in a database', () => {
  it('a run with its record in a database shows and stores the credentials nowhere, and the printed command continues it', async (t) => {
    await using server = await ownMongodbOrSkip(t)
    if (server === undefined) return
    using folder = temporaryFolder()
    const { path: cwd } = folder
    const url = `mongodb://jane:sesame@127.0.0.1:${server.port}/bellis?authMechanism=PLAIN`
    const said: CommandResult[] = []
    const call = async (words: readonly string[], more: object = {}) => {
      const result = await bellis(words, { cwd, ...more })
      said.push(result)
      return result
    }
    await call(['sample', 'sample.hdf', '--size', '32,192,192', '--quiet'])
    const smooth = ['smooth', 'sample.hdf/volumes/raw', 'out.zarr/soft', '--block-write', '8,24,24', '--workers', '1']
    const events = join(cwd, 'events.jsonl')
    const stopped = await call([...smooth, '--db', url, '--events', 'events.jsonl', '--log-level', 'debug'], {
      meanwhile: async ({ pid }: { pid: number }) => {
        await until('a block is done', () => existsSync(events) && readFileSync(events, 'utf8').includes('blocks-done'))
        process.kill(pid, 'SIGINT')
      },
    })
    assert.equal(stopped.code, 130, stopped.stderr)
    const [name] = runsIn(cwd) as [string]
    assert.ok(!existsSync(join(cwd, '.bellis', name, 'progress.sqlite')))
    const line = /To continue: (.*)/.exec(stopped.stderr)?.[1] ?? ''
    assert.match(line, new RegExp(`--db 'mongodb://127\\.0\\.0\\.1:${server.port}/bellis\\?authMechanism=PLAIN'`))

    const env = { BELLIS_DB: url }
    const status = JSON.parse((await call(['status', name, '--json'], { env })).stdout).tasks[0]
    assert.ok(status.completed > 0 && status.left > 0, JSON.stringify(status))
    // A comment says what is not kept.
    assert.match(line, / {2}# set BELLIS_DB again, which is not kept$/)
    const again = await runLine(`${line.split('  #', 1)[0]} --json`, { cwd, env })
    said.push(again)
    assert.equal(again.code, 0, again.stderr)
    assert.equal(JSON.parse(again.stdout).tasks[0].skipped, status.completed)
    const runs = JSON.parse((await call(['runs', '--json'], { env })).stdout)
    assert.deepEqual([runs[0].condition, runs[0].tasks[0].completed], ['done', 256])

    // Also in errors: with the server gone, and with an invalid address.
    await server.kill()
    const gone = await call([...smooth, '--db', url, '--log-level', 'debug'])
    assert.equal(gone.code, 2)
    assert.match(gone.stderr, /^bellis: No server answers at mongodb:\/\/127\.0\.0\.1:\d+\/bellis \(/m)
    const wrong = await call([...smooth, '--db', url.replace('authMechanism', 'sesameMechanism')])
    assert.equal(wrong.code, 2)
    for (const text of [...said.map((each) => JSON.stringify(each)), ...textsIn(cwd)]) {
      assert.doesNotMatch(text, /sesame|jane/)
    }
  })

  it('is found by its command after its folder was removed, also if the pipeline has another name by then', async (t) => {
    await using server = await ownMongodbOrSkip(t)
    if (server === undefined) return
    using folder = temporaryFolder()
    const { path: cwd } = folder
    writeFileSync(
      join(cwd, 'edges.ts'),
      `import { definePipeline, z } from 'bellis'
import { smooth } from 'bellis/tasks'
export default definePipeline({
  name: process.env.PIPELINE, config: z.object({}),
  tasks: () => smooth({ input: 'sample.hdf/volumes/raw', output: 'out.zarr/soft', blockWrite: [8, 24, 24] }),
})`,
    )
    const call = async (args: readonly string[], PIPELINE: string) => {
      const db = `mongodb://127.0.0.1:${server.port}/bellis`
      const result = await bellis(args, { cwd, env: { PIPELINE, BELLIS_DB: db } })
      assert.equal(result.code, 0, result.stderr)
      return result.stdout
    }
    await call(['sample', 'sample.hdf', '--size', '8,48,48', '--quiet'], '')
    await call(['run', 'edges.ts', '--pool', 'inline'], 'edges')
    const [before] = runsIn(cwd) as [string]
    rmSync(join(cwd, '.bellis'), { recursive: true })
    const again = await call(['run', 'edges.ts', '--pool', 'inline'], 'borders')
    assert.match(again, /Nothing left to do: all 4 blocks were done before/)
    const [after] = runsIn(cwd) as [string]
    assert.deepEqual(
      [before, after].map((name) => name.slice(0, -8)),
      ['edges-out-soft-', 'borders-out-soft-'],
    )
    assert.match(await call(['status', after], ''), /smooth: 4 of 4 blocks \(100 %\)/)
    // Removing what is kept of it removes that record: then the output is no longer its own.
    await call(['clean', after, '--yes'], '')
    const refused = await bellis(['run', 'edges.ts'], {
      cwd,
      env: { PIPELINE: 'borders', BELLIS_DB: `mongodb://127.0.0.1:${server.port}/bellis` },
    })
    assert.match(
      refused.stderr,
      /out\.zarr\/soft contains data that this run did not write, written by .*the run edges-/,
    )
  })
})
