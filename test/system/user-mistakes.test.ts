import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { bellis, type RunningCommand, temporaryFolder } from '../support/command-line.ts'
import { until } from '../support/processes.ts'
import { pythonOrSkip } from '../support/python.ts'
import { pythonClient } from '../support/python-program.ts'

const shared = temporaryFolder()
after(() => shared[Symbol.dispose]())
const sample = join(shared.path, 'sample.hdf')

before(async () => {
  const { code, stderr } = await bellis(['sample', sample, '--size', '16,96,96', '--quiet'], { cwd: shared.path })
  assert.equal(code, 0, stderr)
})

/** A module with a task `mine` of 6 blocks, in one line of which something goes wrong. */
const task = ({ config = 'z.object({})', plan = '', block = '', more = '', options = '' }) => `
import { definePipeline, defineTask, roi, z } from 'bellis'
export const blocks = { totalRoi: roi([0], [6]), readRoi: roi([0], [1]), writeRoi: roi([0], [1]), readWriteConflict: false }
export const mine = defineTask({
  name: 'mine', ${options}
  config: ${config},
  plan: async (config, { arrays }) => { ${plan}; return blocks },
  setup: () => async ({ index }, { signal }) => {
    const at = index === 1
    ${block}
  },
})
${more}`

/** A module whose default is a pipeline of tasks `mine`. */
const pipeline = (tasks: string) =>
  task({ more: `export default definePipeline({ config: z.object({}), tasks: () => { ${tasks} } })` })

/** A module with a task that copies into an output created by its plan. */
const writing = (create: string, more = '', path = 'out.zarr/o') => `
import { definePipeline, defineTask, roi, z } from 'bellis'
export const mine = defineTask({
  name: 'mine',
  config: z.object({}),
  plan: async (config, { arrays }) => {
    const raw = await arrays.open(${JSON.stringify(join(sample, 'volumes/raw'))})
    const output = await arrays.create('${path}', ${create})
    const block = roi([0, 0, 0], [640, 128, 128])
    return { totalRoi: raw.roi, readRoi: block, writeRoi: block, fit: 'shrink', readWriteConflict: false, writes: [output] }
  },
  setup: () => () => {},
})
${more}`

describe("a mistake in a task's module", {
  concurrency: 2,
}, () => {
  for (const [title, source, message, args = []] of [
    ['no task is exported', 'export const a = 1', /task\.ts exports no task or pipeline; export what defineTask/],
    [
      'a task is exported with its configuration already',
      task({ more: 'export default mine({})' }).replace('export const mine', 'const mine'),
      /task\.ts exports no task or pipeline; it exports the result of calling a task/,
    ],
    ['the module throws', "\nthrow new Error('no licence')", /task\.ts can't be loaded: no licence \(\/.*task\.ts:2\)/],
    [
      'the module ends the process',
      '\nprocess.exit(0)',
      /process\.exit\(0\) was called \(\/.*task\.ts:2\); throw an error/,
    ],
    ['the module has a syntax error', '\nexport default {', /task\.ts can't be loaded: .*\(\/.*task\.ts:2\)/],
    [
      'the module imports a missing package',
      "import 'left-pad'",
      /Cannot find package 'left-pad' imported from .*task\.ts/,
    ],
    [
      'the module has an enum',
      '\nenum Mode { A }',
      /\/.*task\.ts:2 uses syntax that needs a compiler: enum\. .*plain JavaScript/,
    ],
    ['the module has a namespace', '\nnamespace A { export const b = 1 }', /task\.ts:2 .*a compiler: namespace/],
    [
      'the module has a parameter property',
      '\nclass A { constructor(readonly b: number) {} }',
      /task\.ts:2 .*parameter property/,
    ],
    ['the module has a decorator', 'const d = () => {}\n@d\nexport class A {}', /task\.ts:2 .*a compiler: a decorator/],
    [
      'the configuration is no schema',
      task({ config: '{ sigma: 2 }' }),
      /defineTask in \/.*task\.ts:4: "config" of "mine" is a plain object; .*z\.object/,
    ],
    [
      'the configuration is no object schema',
      task({ config: 'z.string()' }),
      /task\.ts:4: "config" of "mine" is z\.string/,
    ],
    [
      'an option is misspelt',
      task({ options: 'isdone: () => true,' }),
      /task\.ts:4: "mine" has no option "isdone"; the options are name, config, plan, setup, isDone/,
    ],
    ['a flag does not exist', task({}), /unknown option '--sgima'/, ['--sgima', '2']],
    [
      'a flag has the wrong type',
      task({ config: 'z.object({ sigma: z.number() })' }),
      /--sigma "wide": .*expected a number/,
      ['--sigma', 'wide'],
    ],
    ['a flag is missing', task({ config: 'z.object({ sigma: z.number() })' }), /--sigma is missing\./],
    ['the plan throws', task({ plan: '\nnull.shape' }), /Task "mine" can't be planned: .*null.*\(\/.*task\.ts:8\)/],
    [
      'the plan leaves a promise that is rejected',
      task({ plan: "\nvoid Promise.reject(new Error('boom')); await new Promise((go) => setTimeout(go, 1000))" }),
      /an unawaited promise was rejected: boom \(\/.*task\.ts:8\)/,
    ],
    ['the pipeline throws', pipeline('\nnull.shape'), /Pipeline "pipeline" can't be built: .*\(\/.*task\.ts:14\)/],
    [
      'the plan returns a misspelt field',
      task({ plan: 'return { ...blocks, readWriteConflicts: false }' }),
      /Task "mine": its plan returned the unknown field "readWriteConflicts"; the fields are totalRoi, /,
    ],
    ['the plan returns no blocks', task({ plan: 'return {}' }), /Task "mine": its plan returned no totalRoi/],
    [
      'the module uses require',
      "const { defineTask } = require('bellis')",
      /task\.ts can't be loaded: Cannot find module 'bellis' by require; use import … from/,
    ],
    [
      'the pipeline returns nothing',
      pipeline('mine({})'),
      /The result of pipeline "pipeline" is undefined; expected a defined task called with its configuration, /,
    ],
    [
      'the pipeline returns a promise',
      pipeline('return [mine({}), Promise.resolve(mine({}))]'),
      /The result of pipeline "pipeline" is a promise, which must be awaited first/,
    ],
    [
      'the pipeline returns a definition that is not called',
      pipeline('return [mine]'),
      /"mine" is a definition; call it with its configuration/,
    ],
    [
      'the "after" of a task is no list',
      pipeline("return mine({}, { after: mine({}, { id: 'a' }) })"),
      /Task "mine": pass "after" as an array of tasks: after: \[other\]/,
    ],
    [
      'there is a cycle',
      pipeline(
        "const after = []; const a = mine({}, { id: 'a', after }); const b = mine({}, { id: 'b', after: [a] }); after.push(b); return [a, b]",
      ),
      /The tasks "a" → "b" → "a" form a cycle/,
    ],
    [
      'two tasks have the same id',
      pipeline('return [mine({}), mine({})]'),
      /Tasks 0 and 1 both have the id "mine"; give one of them another id/,
    ],
    [
      'a task of the pipeline is not exported',
      pipeline('return mine({})').replace('export const mine', 'const mine'),
      /task\.ts exports no task named "mine", so a worker can't find it; export it/,
    ],
    [
      'two tasks write the same array',
      writing(
        '{ like: raw, chunkShape: [16, 32, 32] }',
        "export default definePipeline({ config: z.object({}), tasks: () => [mine({}, { id: 'a' }), mine({}, { id: 'b' })] })",
      ),
      /Tasks "a" and "b" both write out\.zarr\/o.*let one come after the other/,
    ],
    [
      'the output is smaller than the written region',
      writing('{ like: raw, shape: [16, 96, 64], chunkShape: [16, 32, 32] }'),
      /Task "mine": its blocks write 0,0,0:640,384,384, but out\.zarr\/o fills only 0,0,0:640,384,256 nm; make the output as large/,
    ],
    [
      'two blocks share a chunk',
      writing('{ like: raw, chunkShape: [16, 48, 48] }'),
      /would write to the same chunk of out\.zarr\/o .*Use chunks of \(16, 32, 32\)/,
    ],
    [
      'a block is smaller than a shard of a precomputed volume',
      writing('{ like: raw, chunkShape: [16, 32, 32], shardShape: [16, 64, 64] }', '', 'out.precomputed'),
      /would write to the same shard of out\.precomputed.*the shards are \(16, 64, 64\) voxels, the blocks 16 × 32 × 32\. Use shards of \(16, 32, 32\), or blocks of whole shards/,
    ],
  ] as [string, string, RegExp, string[]?][]) {
    it(`bellis run reports it in one line with its place, and writes nothing, if ${title}`, async () => {
      using folder = temporaryFolder()
      writeFileSync(join(folder.path, 'task.ts'), source)
      const { code, stdout, stderr } = await bellis(['run', 'task.ts', ...args], { cwd: folder.path })
      assert.match(stderr, message)
      assert.match(stderr, /^bellis: [^\n]*\n$/)
      assert.deepEqual([code, stdout], [title === 'the module ends the process' ? 1 : 2, ''])
      assert.deepEqual(readdirSync(folder.path), ['task.ts'])
    })
  }
})

describe("a task's module below a package.json", () => {
  it('is run without a warning of Node if that file does not say what kind of modules there are', async () => {
    using folder = temporaryFolder()
    writeFileSync(join(folder.path, 'package.json'), '{}')
    writeFileSync(join(folder.path, 'task.ts'), task({}))
    const { code, stderr } = await bellis(['run', 'task.ts', '--workers', '1'], { cwd: folder.path })
    assert.equal(code, 0, stderr)
    assert.doesNotMatch(stderr, /Warning|package\.json/)
    const logs = join(folder.path, '.bellis', readdirSync(join(folder.path, '.bellis'))[0] ?? '', 'logs')
    for (const name of readdirSync(logs)) assert.equal(readFileSync(join(logs, name), 'utf8'), '')
  })
})

/** A limit for tests that would otherwise wait for weeks for a block that never ends. */
const ENDS = { timeout: 300_000 }

describe('a block that misbehaves', {
  concurrency: 2,
}, () => {
  const stuck = 'await new Promise(() => setTimeout(() => {}, 2 ** 31 - 1))'
  for (const [title, block, message, pools, args = []] of [
    [
      'it throws',
      "if (at) throw new TypeError('no such label')",
      /: TypeError: no such label \(\/.*task\.ts:10\)/,
      ['process', 'thread', 'inline'],
    ],
    [
      'a function of Bellis refuses its call',
      'if (at) roi([0], [0.5])',
      /: [^:]*0\.5[^:]*\(\/.*task\.ts:10\)/,
      ['process', 'thread', 'inline'],
    ],
    [
      'it leaves a promise that is rejected',
      "if (at) { void Promise.reject(new Error('boom')); await new Promise((go) => setTimeout(go, 2000)) }",
      /an unawaited promise was rejected: boom \(\/.*task\.ts:10\)/,
      ['process', 'thread'],
    ],
    [
      'a callback throws',
      "if (at) await new Promise(() => setTimeout(() => { throw new Error('boom') }))",
      /an uncaught error was thrown: boom \(\/.*task\.ts:10\)/,
      ['process', 'thread'],
    ],
    [
      'it ends its process',
      'if (at) process.exit(0)',
      /Worker w\d+ died \(exit code 1\): process\.exit\(0\) was called \(\/.*task\.ts:10\); throw an error instead\./,
      ['process', 'thread'],
    ],
    [
      'it never yields',
      'if (at) for (;;);',
      /Block mine\/1 took longer than 1 s; its worker w\d+ was ended\./,
      ['process', 'thread'],
      ['--timeout', '1'],
    ],
    [
      'it never ends',
      `if (at) ${stuck}`,
      /Block mine\/1 took longer than 1 s; its worker w\d+ was ended\./,
      ['process', 'thread', 'inline'],
      ['--timeout', '1'],
    ],
    [
      'it returns only some time after its abort',
      "if (at) await new Promise((go) => signal.addEventListener('abort', () => setTimeout(go, 300)))",
      /Block mine\/1 took longer than 1 s; its worker w\d+ was ended\./,
      ['inline'],
      ['--timeout', '1'],
    ],
    [
      'it takes all memory',
      'const kept = []; if (at) for (;;) kept.push(Array.from({ length: 1e5 }, (_, i) => ({ i })))',
      /Worker w\d+ died \(out of memory[^()\n]*\)/,
      ['process', 'thread'],
    ],
  ] as [string, string, RegExp, string[], string[]?][]) {
    for (const pool of pools) {
      it(`a block fails alone, with one message and exit code 1, if ${title} (pool ${pool})`, ENDS, async () => {
        using folder = temporaryFolder()
        writeFileSync(join(folder.path, 'task.ts'), task({ block }))
        const call = ['run', 'task.ts', '--pool', pool, '--workers', '2', '--max-retries', '0', ...args]
        const env = { NODE_OPTIONS: '--max-old-space-size=80' }
        const { code, stdout, stderr } = await bellis(call, { cwd: folder.path, env })
        assert.equal(code, 1, stderr)
        assert.match(stdout, /mine: 5 of 6 blocks, 1 failed/)
        const [failed, ...more] = stderr.split('\n').filter((line) => line.startsWith('failed '))
        assert.match(failed ?? '', /^failed mine\/1 after 1 attempt: /)
        assert.match(failed ?? '', message)
        assert.deepEqual(more, [])
      })
    }
  }

  for (const pool of ['process', 'thread']) {
    it(`logs have the stack of each attempt, the one that is named that of the last, but no report of a worker that dies later (pool ${pool})`, async () => {
      using folder = temporaryFolder()
      const block = "if (at) throw new RangeError('no such label'); if (index === 2) process.exit(3)"
      writeFileSync(join(folder.path, 'task.ts'), task({ block }))
      const call = ['run', 'task.ts', '--pool', pool, '--workers', '1', '--max-retries', '1']
      const { code, stderr } = await bellis(call, { cwd: folder.path })
      assert.equal(code, 1, stderr)
      const [, named = ''] = /^failed mine\/1 .*\(log: (.*)\)$/m.exec(stderr) ?? []
      const logs = dirname(join(folder.path, named))
      const read = (name: string) => readFileSync(join(logs, name), 'utf8')
      const note = /^block mine\/1 failed:\n {2}RangeError: no such label\n {6}at .*task\.ts:10:\d+\)?\n/gm
      // Block 2 may end the worker between the attempts, or before it has reported one, which is then repeated.
      assert.match(read(basename(named)), note)
      const all = readdirSync(logs).map(read).join('\n')
      assert.ok((all.match(note)?.length ?? 0) >= 2, all)
      assert.match(
        stderr,
        /^failed mine\/2 after 2 attempts: Worker w\d+ died \(exit code 3\): process\.exit\(3\) was called/m,
      )
    })
  }
})

describe('a task that cannot be set up', { concurrency: 2 }, () => {
  for (const pool of ['process', 'thread', 'inline']) {
    it(`a task that cannot be set up is abandoned, with one message that gives the place (pool ${pool})`, async () => {
      using folder = temporaryFolder()
      const source = task({}).replace(/setup: .*?\n {2}\},\n/s, "setup: () => { throw new Error('no model') },\n")
      writeFileSync(join(folder.path, 'task.ts'), source)
      const { code, stderr } = await bellis(['run', 'task.ts', '--pool', pool, '--workers', '2'], { cwd: folder.path })
      assert.equal(code, 1)
      const abandoned = stderr.split('\n').filter((line) => line.includes('abandoned'))
      assert.equal(abandoned.length, 1, stderr)
      assert.match(abandoned[0] as string, /^abandoned Task "mine" was abandoned: .*: no model \(\/.*task\.ts:8\)$/)
      assert.doesNotMatch(stderr, /\n {4}at /)
    })
  }
})

describe('what is missing', () => {
  const RELATIVE = 'relative paths start in the folder where the run was started'
  for (const [title, from, to, message] of [
    [
      'a file that the set-up reads',
      /setup: .*?\n {2}\},\n/s,
      "setup: () => { process.getBuiltinModule('fs').readFileSync('model.pt') },\n",
      `there is no file or folder model.pt (ENOENT, open); ${RELATIVE} (`,
    ],
    [
      'a program on the PATH',
      /setup: .*?\n {2}\},\n/s,
      "command: () => ['no-such-program', '--fast'],\n",
      'The program "no-such-program --fast" can\'t be started: there is no program no-such-program on the PATH (ENOENT); install it, or give its path',
    ],
  ] as const) {
    it(`is named in a sentence that says what to do: ${title}`, async () => {
      using folder = temporaryFolder()
      const source = task({}).replace(from, to)
      const isProgram = to.startsWith('command')
      const text = isProgram ? source.replaceAll('defineTask', 'commandTask') : source
      writeFileSync(join(folder.path, 'task.ts'), text)
      const { code, stderr } = await bellis(['run', 'task.ts', '--workers', '1'], { cwd: folder.path })
      assert.equal(code, 1, stderr)
      const abandoned = stderr.split('\n').filter((line) => line.startsWith('abandoned '))
      assert.equal(abandoned.length, 1, stderr)
      assert.ok(abandoned[0]?.includes(message), stderr)
      assert.doesNotMatch(stderr, /ENOENT: no such file|spawn/)
    })
  }

  it('a place that takes no folders is refused in one line, by every command', {
    skip: process.platform === 'linux' ? false : 'only Linux has /proc',
  }, async () => {
    using folder = temporaryFolder()
    const raw = join(sample, 'volumes/raw')
    const place = 'no folder can be created there (ENOENT); choose another place'
    for (const [words, message] of [
      [['convert', raw, 'out.zarr/raw', '--run-dir', '/proc/x'], `can't be created: ${place} with --run-dir.`],
      [['convert', raw, '/proc/x.zarr/raw'], `Can't write /proc/x.zarr: ${place}.`],
      [['convert', raw, '/proc/x.n5/raw'], `Can't write /proc/x.n5: ${place}.`],
      [['smooth', raw, 'out.zarr/raw', '--run-dir', '/dev/null'], 'a part of its path is a file, not a folder'],
      [['runs', '--run-dir', '/dev/null'], 'a part of its path is a file, not a folder'],
      [
        ['convert', raw, 'out.zarr/raw', '--events', '/proc/x'],
        "The events can't be written to /proc/x: there is no such",
      ],
      [['sample', '/proc/x.hdf', '--size', '4,32,32'], 'no file can be created there (No such file or directory)'],
    ] as const) {
      const { code, stderr } = await bellis(words, { cwd: folder.path })
      assert.equal(code, 2, stderr)
      assert.ok(stderr.includes(message), stderr)
      assert.equal(stderr.trimEnd().split('\n').length, 1, stderr)
    }
  })
})

describe('a program that dies', () => {
  it('is reported with its last line first, and then line by line', async () => {
    using folder = temporaryFolder()
    const dying = "console.error('Traceback:\\n  line 7\\nTypeError: no model'); process.exit(3)"
    const source = `import { commandTask, z } from 'bellis'
const block = { offset: [0], shape: [1] }
export default commandTask({
  name: 'dies',
  config: z.object({}),
  plan: () => ({ totalRoi: { offset: [0], shape: [2] }, readRoi: block, writeRoi: block, readWriteConflict: false }),
  command: () => [process.execPath, '-e', ${JSON.stringify(dying)}],
})
`
    writeFileSync(join(folder.path, 'dies.ts'), source)
    const { code, stderr } = await bellis(['run', 'dies.ts', '--workers', '1'], { cwd: folder.path })
    assert.equal(code, 1)
    assert.match(stderr, /^abandoned .*ended \(exit code 3\): TypeError: no model/m)
    assert.match(stderr, /^ {4}Its last output:\n {4}Traceback:\n {4} {2}line 7\n {4}TypeError: no model$/m)
    assert.doesNotMatch(stderr, /\\x0a/)
  })
})

describe('a block that fails in Python', () => {
  it('is reported in one line, with the class of its error, and the file and the line of the program', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    using folder = temporaryFolder()
    const program = join(folder.path, 'cells.py')
    writeFileSync(
      program,
      `import sys
sys.path.insert(0, ${JSON.stringify(pythonClient)})
import bellis

def count(block):
    raise LookupError("no cell in it")

for block in bellis.blocks():
    with block:
        count(block)
`,
    )
    const source = `import { commandTask, z } from 'bellis'
const block = { offset: [0], shape: [1] }
export default commandTask({
  name: 'cells',
  config: z.object({}),
  plan: () => ({ totalRoi: { offset: [0], shape: [2] }, readRoi: block, writeRoi: block, readWriteConflict: false }),
  command: () => [${JSON.stringify(python)}, ${JSON.stringify(program)}],
})
`
    writeFileSync(join(folder.path, 'cells.ts'), source)
    const { code, stderr } = await bellis(['run', 'cells.ts', '--workers', '1', '--max-retries', '0'], {
      cwd: folder.path,
    })
    assert.equal(code, 1)
    assert.match(stderr, /^failed cells\/0 after 1 attempt, .*: LookupError: no cell in it \(\S*cells\.py:6\) \(log: /m)
  })
})

describe('in the process of the command, with --pool inline,', { concurrency: 2 }, () => {
  it('an uncaught error with --pool inline stops the run with a message', async () => {
    using folder = temporaryFolder()
    const block = "await new Promise((go) => setTimeout(go, 50)); if (at) void Promise.reject(new Error('boom'))"
    writeFileSync(join(folder.path, 'task.ts'), task({ block }))
    const { code, stderr } = await bellis(['run', 'task.ts', '--pool', 'inline', '--workers', '1'], {
      cwd: folder.path,
    })
    assert.equal(code, 1)
    assert.match(stderr, /bellis: the run was stopped: an unawaited promise was rejected: boom \(\/.*task\.ts:10\)\n/)
  })

  it('a block that ends the process with --pool inline does not end it with success', async () => {
    using folder = temporaryFolder()
    writeFileSync(join(folder.path, 'task.ts'), task({ block: 'if (at) process.exit(0)' }))
    const { code, stderr } = await bellis(['run', 'task.ts', '--pool', 'inline', '--quiet'], { cwd: folder.path })
    assert.equal(code, 1)
    assert.match(stderr, /^bellis: process\.exit\(0\) was called \(\/.*task\.ts:10\); throw an error instead\.\n$/)
  })
})

describe('a block that returns late after Ctrl-C', () => {
  it('a block that returns late after Ctrl-C does not hold up the command', ENDS, async () => {
    using folder = temporaryFolder()
    const block = `
      if (at) console.log('begun')
      await new Promise((go) => setTimeout(go, 2 ** 31 - 1))`
    writeFileSync(join(folder.path, 'task.ts'), task({ block }))
    const meanwhile = async ({ pid, output }: RunningCommand) => {
      await until('its block has started', () => output.stdout.includes('begun'))
      process.kill(pid, 'SIGINT')
    }
    const call = ['run', 'task.ts', '--pool', 'inline', '--workers', '2', '--quiet']
    const { code } = await bellis(call, { cwd: folder.path, meanwhile })
    assert.equal(code, 130)
  })
})
