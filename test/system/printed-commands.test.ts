import assert from 'node:assert/strict'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { describe, it } from 'node:test'
import { bellis, program, runNode, runProgram, temporaryFolder } from '../support/command-line.ts'
import { CTRL_C, onTerminal } from '../support/terminal.ts'

/** The PATH without a `bellis`, whatever this machine has. */
const { PATH = '' } = process.env

describe('a printed command', { concurrency: 2 }, () => {
  /** Runs a command, then the command that it prints, in the same folder. @param folders first on the PATH */
  async function followed(folder: string, folders: readonly string[]): Promise<string> {
    const options = { cwd: folder, env: { PATH: [...folders, PATH].join(delimiter) } }
    const made = await runNode([program, 'sample', "it's.hdf", '--size', '4,32,32'], options)
    assert.equal(made.code, 0, made.stderr)
    const args = ["it's.hdf/volumes/raw", 'my out.zarr/raw', '--pool', 'inline']
    const { code, stdout, stderr } = await runNode([program, 'convert', ...args], options)
    assert.equal(code, 0, stderr)
    const command = /; to describe it: (.*)\n$/.exec(stdout)?.[1]
    assert.ok(command !== undefined, stdout)
    const described = await runProgram('bash', ['-c', command], options)
    assert.match(described.stdout, /^my out\.zarr\/raw\n {2}format +Zarr 3\n/, described.stderr)
    return command
  }

  it('is "bellis …" if it is on the PATH', async () => {
    using folder = temporaryFolder()
    const bin = join(folder.path, 'bin')
    mkdirSync(bin)
    symlinkSync(program, join(bin, 'bellis'))
    assert.equal(await followed(folder.path, [bin]), "bellis info 'my out.zarr/raw'")
  })

  it('is "npx bellis …" below a folder where npm has installed it, as in a checkout', async () => {
    using folder = temporaryFolder()
    const bin = join(folder.path, 'node_modules', '.bin')
    mkdirSync(bin, { recursive: true })
    symlinkSync(program, join(bin, 'bellis'))
    writeFileSync(join(folder.path, 'package.json'), '{}')
    const data = join(folder.path, 'data')
    mkdirSync(data)
    // npx and npm scripts start programs with this PATH; the user's shell has another one.
    assert.equal(await followed(data, [bin]), "npx bellis info 'my out.zarr/raw'")
  })

  it('has the path of the program if it is neither', async () => {
    using folder = temporaryFolder()
    assert.equal(await followed(folder.path, []), `${process.execPath} ${program} info 'my out.zarr/raw'`)
  })

  it('continues a run that two Ctrl-C have ended, which also shows how far it came', async (t) => {
    using folder = temporaryFolder()
    writeFileSync(
      join(folder.path, 'hangs.ts'),
      `import { existsSync } from 'node:fs'
import { defineTask, roi, z } from 'bellis'
export default defineTask({
  name: 'hangs', config: z.object({}),
  plan: () => ({ totalRoi: roi([0], [4]), readRoi: roi([0], [1]), writeRoi: roi([0], [1]), readWriteConflict: false }),
  setup: () => async ({ index }) => { if (index > 0 && !existsSync('go')) await new Promise(() => {}) },
})`,
    )
    const typed = [
      { after: /hangs [^\n]* 1\/4/, text: CTRL_C },
      { after: /Ctrl-C again/, text: CTRL_C },
    ]
    const shown = await onTerminal(t, ['run', 'hangs.ts', '--workers', '2'], folder.path, { typed })
    if (shown === undefined) return
    const { code, drawn } = shown
    assert.equal(code, 130, drawn)
    const [, first = '', second = ''] = drawn.split('^C')
    assert.ok(first.startsWith('\r\u001b[1A\u001b[0J'), `the bar is cleared first: ${JSON.stringify(drawn)}`)
    assert.match(first, /Stopping: running blocks may finish; Ctrl-C again stops at once\./)
    assert.ok(second.startsWith('\r\u001b['), JSON.stringify(drawn))
    assert.match(second, /Stopped at once; done: hangs 1 of 4 blocks\./)
    const command = /To continue: (.*?)\r?\n/.exec(second)?.[1]
    assert.equal(command, 'bellis run hangs.ts --workers 2')
    const listed = await bellis(['runs', '--json'], { cwd: folder.path })
    assert.equal(
      JSON.parse(listed.stdout)[0].condition,
      'stopped',
      'as the user did, not interrupted by something else',
    )

    writeFileSync(join(folder.path, 'go'), '')
    const bin = join(folder.path, 'bin')
    mkdirSync(bin)
    symlinkSync(program, join(bin, 'bellis'))
    const env = { PATH: [bin, PATH].join(delimiter) }
    const continued = await runProgram('bash', ['-c', command], { cwd: folder.path, env })
    assert.match(continued.stdout, /✔ hangs: 4 of 4 blocks/, continued.stderr)
  })
})
