import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import * as library from '../../src/entry/index.ts'
import * as kernels from '../../src/entry/kernels.ts'
import * as tasks from '../../src/entry/tasks.ts'
import { bellis, shownAddress, temporaryFolder } from '../support/command-line.ts'
import { commandsOf, type DocumentedCommand, documents, parseCommand, pathOf, TESTED } from './markdown.ts'

const manifest = JSON.parse(readFileSync(pathOf('package.json'), 'utf8')) as Record<
  'scripts' | 'dependencies' | 'devDependencies',
  Record<string, string>
>
/** The commands, in an order in which the examples of their help find what they read. */
const COMMANDS = [
  'demo',
  'sample',
  'convert',
  'info',
  'smooth',
  'downsample',
  'map',
  'threshold',
  'label',
  'reduce',
  'show',
  'run',
  'new',
  'doctor',
  'plan',
  'plan convert',
  'plan smooth',
  'plan downsample',
  'plan label',
  'plan map',
  'plan threshold',
  'plan reduce',
  'plan run',
  'runs',
  'completion',
]
/** Commands whose examples name a run, which has another name on every machine. */
const COMMANDS_OF_RUNS = ['status', 'logs', 'resume', 'reset', 'stop', 'scale', 'retry', 'clean', 'dashboard', 'top']

const TUTORIAL = 'docs/TUTORIAL.md'

/** A sample small enough to run everything in the documents. */
const SAMPLE = ['sample', 'sample.hdf', '--size', '16,96,96', '--quiet']

/** The folder for everything that is run. It is inside the package, so that `import … from 'bellis'` finds the built package. */
let scratch: string
before(async () => {
  mkdirSync(pathOf('.cache'), { recursive: true })
  scratch = mkdtempSync(pathOf('.cache/docs-'))
  const { code, stderr } = await bellis(SAMPLE, { cwd: scratch })
  assert.equal(code, 0, stderr)
  cpSync(join(scratch, 'sample.hdf'), join(scratch, 'my.hdf'))
})
after(() => rmSync(scratch, { recursive: true, force: true }))

/** A folder with only sample.hdf, my.hdf and a task. */
function folderWithSample(): string {
  const folder = mkdtempSync(join(scratch, 'run-'))
  for (const name of ['sample.hdf', 'my.hdf']) cpSync(join(scratch, name), join(folder, name))
  cpSync(pathOf('examples/smooth.ts'), join(folder, 'smooth.ts'))
  return folder
}

function node(
  args: readonly string[],
  cwd: string,
): Promise<{ code: number | string; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : (error.code ?? 'a signal'), stdout, stderr }),
    )
  })
}

/** Runs a command line unchanged, in a folder with the sample. */
async function runDocumented(where: string, { words, exitCode, text }: DocumentedCommand, cwd: string): Promise<void> {
  const [program, ...args] = words
  if (program === 'npm') {
    const script = args[0] === 'run' ? args[1] : args[0]
    assert.ok(script !== undefined && script in manifest.scripts, `${where}: package.json has no script for: ${text}`)
    return
  }
  // Its sample is large, so it is run only once, below.
  if (program === 'bellis' && args[0] === 'demo') return
  if (program === 'bellis' && args[0] === 'show' && exitCode === 0) return runShow(where, args, cwd)
  // Examples are named from the root of the checkout.
  const inPlace = args.map((word) => (word.startsWith('examples/') ? pathOf(word) : word))
  const isFile = program === 'node' && args[0]?.startsWith('examples/')
  assert.ok(program === 'bellis' || isFile, `${where}: no test knows how to run: ${text}`)
  const { code, stderr } = isFile ? await node(inPlace, cwd) : await bellis(inPlace, { cwd })
  assert.equal(code, exitCode, `${where}: ${text}\n${stderr}`)
}

/** Ends a server as soon as it has printed its address. */
async function runShow(where: string, args: readonly string[], cwd: string): Promise<void> {
  const { code, stderr } = await bellis([...args, '--no-open'], {
    cwd,
    meanwhile: async ({ pid, output }) => {
      assert.equal((await fetch(await shownAddress(output))).status, 200)
      process.kill(pid, 'SIGINT')
    },
  })
  assert.equal(code, 0, `${where}: bellis ${args.join(' ')}\n${stderr}`)
}

describe('the documents', () => {
  it('contain no block that is not tested', () => {
    for (const { path, blocks } of documents()) {
      // All its steps are followed, one after the other, in tutorial.test.ts.
      if (path === TUTORIAL) continue
      for (const { language, mark, line } of blocks) {
        const isTested = TESTED.some(([each, marks]) => each === language && marks.test(mark))
        assert.ok(isTested, `${path}:${line}: say by its mark how this block is tested (TESTED in markdown.ts)`)
      }
    }
  })

  it('contain only TypeScript that is part of a file, or that runs', async () => {
    let count = 0
    for (const { path, blocks } of documents()) {
      for (const { language, mark, text, line } of blocks) {
        if (language !== 'ts' || path === TUTORIAL) continue
        const where = `${path}:${line}`
        count++
        if (mark.startsWith('examples/')) {
          assert.ok(readFileSync(pathOf(mark), 'utf8').includes(text), `${where} is not part of ${mark}`)
          continue
        }
        const folder = folderWithSample()
        writeFileSync(join(folder, 'block.ts'), text)
        const { code, stdout, stderr } = await node(['block.ts'], folder)
        assert.equal(code, 0, `${where}\n${stderr}`)
        const promised = [...text.matchAll(/^ *console\.log\(.*\) \/\/ (.*)$/gm)].map((match) => match[1] as string)
        for (const output of promised) assert.ok(stdout.split('\n').includes(output), `${where}: ${output}\n${stdout}`)
      }
    }
    assert.ok(count > 3)
  })

  it('contain only command lines that work as described', async () => {
    for (const document of documents()) {
      // Each step needs the results of the steps before it, so tutorial.test.ts follows them.
      if (document.path === TUTORIAL) continue
      const cwd = folderWithSample()
      for (const command of commandsOf(document)) await runDocumented(document.path, command, cwd)
    }
  })

  it('contain only command lines for clusters that a plan accepts', async () => {
    const cwd = folderWithSample()
    for (const path of ['out.zarr/raw', 'out.zarr/volumes/raw']) {
      const { code, stderr } = await bellis(['convert', 'sample.hdf/volumes/raw', path, '--quiet'], { cwd })
      assert.equal(code, 0, stderr)
    }
    const lines = documents().flatMap(({ path, blocks }) =>
      blocks
        .filter(({ mark }) => mark === 'plan')
        .flatMap(({ text }) => text.split('\n'))
        .map((line) => ({ path, command: parseCommand(`${line} --dry-run`) })),
    )
    for (const { path, command } of lines) await runDocumented(path, command, cwd)
    assert.ok(lines.length >= 3)
  })

  it('name every package, every folder, every flag and every export', async () => {
    const textOf = (path: string) => readFileSync(pathOf(path), 'utf8')
    const packages = textOf('docs/DEPENDENCIES.md')
    for (const name of Object.keys({ ...manifest.dependencies, ...manifest.devDependencies })) {
      assert.ok(packages.includes(`\`${name}\``), `docs/DEPENDENCIES.md does not mention ${name}`)
    }
    const tree = textOf('docs/ARCHITECTURE.md')
    for (const entry of readdirSync(pathOf('src'), { withFileTypes: true, recursive: true })) {
      const path = join(entry.parentPath, entry.name).slice(pathOf('').length)
      if (entry.isDirectory()) assert.ok(tree.includes(`${path}/`), `docs/ARCHITECTURE.md does not mention ${path}/`)
    }
    const flagsIn = (text: string, pattern: RegExp) => [...new Set([...text.matchAll(pattern)].map(([, flag]) => flag))]
    const helps = await Promise.all(
      [...COMMANDS, ...COMMANDS_OF_RUNS, 'runs', 'worker'].map((command) =>
        bellis([...command.split(' '), '--help'], { cwd: scratch }),
      ),
    )
    const withoutExample = (text: string) => text.replaceAll(/^ {2}\$ .*$/gm, '')
    const help = [...helps.map(({ stdout }) => withoutExample(stdout)), ' --version'].join(' ')
    assert.deepEqual(
      flagsIn(textOf('docs/CLI.md') + textOf('docs/RUNS.md'), /`(--[a-z][a-z-]*)/g).sort(),
      flagsIn(help, /\s(--[a-z][a-z-]*)/g).sort(),
    )
    const api = textOf('docs/API.md')
    for (const name of Object.keys({ ...library, ...kernels, ...tasks })) {
      assert.ok(api.includes(`\`${name}\``) || api.includes(`\`${name}(`), `docs/API.md does not mention ${name}`)
    }
  })
})

describe('the examples', () => {
  it('run as described in their first line, or are run by an example that does', async () => {
    const names = readdirSync(pathOf('examples')).filter((name) => name.endsWith('.ts'))
    const texts = new Map(names.map((name) => [name, readFileSync(pathOf(`examples/${name}`), 'utf8')]))
    for (const [name, text] of texts) {
      const line = /^\/\/ \$ (.*)$/m.exec(text)?.[1]
      if (line !== undefined) await runDocumented(`examples/${name}`, parseCommand(line), folderWithSample())
      else
        assert.ok(
          [...texts.values()].some((other) => other.includes(`'./${name}'`)),
          `nothing runs ${name}`,
        )
    }
  })

  it('include one that inverts every voxel', async () => {
    const cwd = folderWithSample()
    const { code, stderr } = await node([pathOf('examples/run-invert.ts'), 'sample.hdf/volumes/raw', 'a.zarr/b'], cwd)
    assert.equal(code, 0, stderr)
    await using raw = await library.openArray(join(cwd, 'sample.hdf/volumes/raw'))
    await using inverted = await library.openArray(join(cwd, 'a.zarr/b'))
    const [before, after] = [await raw.read(raw.roi), await inverted.read(inverted.roi)]
    assert.equal(after.data.length, 16 * 96 * 96)
    assert.equal(
      before.data.some((value, i) => Number(value) + Number(after.data[i]) !== 255),
      false,
    )
  })
})

describe('the help', () => {
  it('gives an example for every command, and each of them runs', async () => {
    const cwd = folderWithSample()
    for (const command of COMMANDS) {
      const { stdout, code } = await bellis([...command.split(' '), '--help'], { cwd })
      assert.equal(code, 0)
      const [, line] = /^ {2}\$ (.*)$/m.exec(stdout) ?? []
      assert.ok(line !== undefined, `bellis ${command} --help shows no example`)
      await runDocumented(`bellis ${command} --help`, parseCommand(line), cwd)
    }
  })
})

describe('the tour', () => {
  it('makes everything that it lists, and a picture of it', async () => {
    using folder = temporaryFolder()
    const { code, stdout, stderr } = await bellis(['demo', '--workers', '2'], { cwd: folder.path })
    assert.equal(code, 0, stderr)
    const made = stdout.slice(stdout.indexOf('Made:'), stdout.indexOf('Look at it:'))
    const paths = [...made.matchAll(/^ {2}(\S+)/gm)].map((match) => match[1] as string)
    assert.equal(paths.length, 6)
    for (const path of paths) assert.ok(existsSync(join(folder.path, path)), path)
    const shape = await bellis(['info', 'bellis-demo/sample.zarr/volumes/smoothed_twice', '--json'], {
      cwd: folder.path,
    })
    assert.equal(JSON.parse(shape.stdout).chunksStored, 64)
  })
})
