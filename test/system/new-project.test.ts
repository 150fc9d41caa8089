import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { commandsOf, readDocument } from '../docs/markdown.ts'
import { bellis, temporaryFolder } from '../support/command-line.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
// As from a shell: a test that runs within a test would report to the outer one.
const { NODE_TEST_CONTEXT: _, ...env } = process.env
const execute = (program: string, args: string[], cwd: string) => promisify(execFile)(program, args, { cwd, env })

describe('bellis new', () => {
  it('bellis new writes a project that, with the packed Bellis installed, passes its test and runs', async () => {
    using folder = temporaryFolder()
    const { code, stderr } = await bellis(['new', 'edge-finder'], { cwd: folder.path })
    assert.equal(code, 0, stderr)
    const project = join(folder.path, 'edge-finder')
    const files = ['.gitignore', 'README.md', 'package.json', 'task.test.ts', 'task.ts', 'tsconfig.json']
    assert.deepEqual(readdirSync(project).sort(), files)
    for (const file of files) assert.doesNotMatch(readFileSync(join(project, file), 'utf8'), /my-task/, file)

    const npm = (cwd: string, ...args: string[]) => execute('npm', [...args, '--loglevel=error'], cwd)
    const { stdout } = await npm(root, 'pack', '--json', '--ignore-scripts', '--pack-destination', folder.path)
    const packed = Object.values(JSON.parse(stdout) as Record<string, { filename: string }>)[0]
    const tarball = join(folder.path, packed!.filename)
    await npm(project, 'install', '--prefer-offline', '--no-audit', '--no-fund', tarball)
    const test = await npm(project, 'test')
    assert.match(test.stdout, /pass 1\n/)
    await npm(project, 'run', 'typecheck')

    // Follows its README, except for the npm steps, which are done above.
    const installed = join(project, 'node_modules/.bin/bellis')
    let printed = ''
    for (const { words, text } of commandsOf(readDocument(join(project, 'README.md')))) {
      if (words[0] === 'npm') continue
      assert.equal(words[0], 'bellis', text)
      printed += (await execute(installed, words.slice(1), project)).stdout
    }
    assert.match(printed, /✔ edge-finder: (\d+) of \1 blocks/)

    const run = (...args: string[]) => execute(installed, [...args, '--quiet'], project)
    await run('sample', 'small.hdf', '--size', '16,96,96')
    const fields = ['--input', 'small.hdf/volumes/raw', '--output', 'out.zarr/sharp', '--threshold', '10']
    const result = await run('run', 'task.ts', ...fields, '--workers', '2', '--json')
    assert.deepEqual(JSON.parse(result.stdout).tasks[0].completed, 4)

    // Written by the installed one, a project installs that one.
    await run('new', 'other')
    const other = join(project, 'other')
    const { name, dependencies } = JSON.parse(readFileSync(join(other, 'package.json'), 'utf8'))
    const own = realpathSync(join(project, 'node_modules/bellis'))
    assert.deepEqual([name, dependencies.bellis], ['other', `file:${own}`])
    await npm(other, 'install', '--prefer-offline', '--no-audit', '--no-fund')
    assert.equal(realpathSync(join(other, 'node_modules/bellis')), own)
    assert.match((await npm(other, 'test')).stdout, /pass 1\n/)
    await npm(other, 'run', 'typecheck')
    // The type check sees the task's own mistakes.
    const task = readFileSync(join(other, 'task.ts'), 'utf8')
    writeFileSync(join(other, 'task.ts'), task.replace('config.threshold', 'config.treshold'))
    await assert.rejects(npm(other, 'run', 'typecheck'), ({ stdout }) =>
      /Property 'treshold' does not exist/.test(stdout),
    )
  })

  it('bellis new leaves a folder that is not empty alone, and refuses an invalid package name', async () => {
    using folder = temporaryFolder()
    mkdirSync(join(folder.path, 'notes'))
    writeFileSync(join(folder.path, 'notes/today.txt'), '')
    for (const [name, message] of [
      ['notes', /exists and is not empty; choose another name/],
      ['My Task', /My Task: expected a name for a task and a package/],
    ] as const) {
      const { code, stderr } = await bellis(['new', name], { cwd: folder.path })
      assert.equal(code, 2)
      assert.match(stderr, message)
    }
    assert.deepEqual(readdirSync(folder.path, { recursive: true }).sort(), ['notes', 'notes/today.txt'])
  })
})
