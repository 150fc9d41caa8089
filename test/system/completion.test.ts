import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { cpSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { bellis, pathWithCommand, temporaryFolder } from '../support/command-line.ts'

const folder = temporaryFolder()
after(() => folder[Symbol.dispose]())
before(async () => {
  const { code, stderr } = await bellis(['sample', 'tissue.hdf', '--size', '4,32,32', '--quiet'], { cwd: folder.path })
  assert.equal(code, 0, stderr)
  writeFileSync(join(folder.path, 'with space.json'), '{}')
  writeFileSync(join(folder.path, 'own task.ts'), OWN_TASK)
})

const OWN_TASK = `import { defineTask, z } from 'bellis'
console.log('the module is loaded')
export default defineTask({
  name: 'own',
  config: z.object({ input: z.string(), strength: z.enum(['gentle', 'firm']), gain: z.number() }),
  plan: () => { throw new Error('not to be planned') },
  setup: () => { throw new Error('nor set up') },
})
`

interface ShellUnderTest {
  readonly start: string
  /** Reads the script, and makes every line that is run print its words between angles. */
  readonly setUp: string
}

const SHELLS: Readonly<Record<string, ShellUnderTest>> = {
  bash: {
    start: 'bash --noprofile --norc -i',
    setUp:
      'source <(bellis completion bash); shown() { printf "<%s>" "$@"; printf "\\n"; }; bind "set bell-style none"',
  },
  zsh: {
    start: 'zsh -f -i',
    setUp: `autoload -U compinit; compinit -u -D; source <(bellis completion zsh); bindkey -e; shown() { printf "<%s>" "$@"; printf "\\n"; }`,
  },
  fish: {
    start: 'fish --no-config -i',
    setUp: 'bellis completion fish | source; function shown; printf "<%s>" $argv; printf "\\n"; end',
  },
}

/**
 * Types lines into a shell on a terminal of its own, and gives the words of each line after completion: each ends with Tab, after
 * which the line is made the argument of a function that prints its words.
 */
async function completed(t: TestContext, name: string, lines: readonly string[]): Promise<string | undefined> {
  const missing = [name, 'script'].find((program) => spawnSync('which', [program]).status !== 0)
  if (missing !== undefined) {
    if (process.env.CI) throw new Error(`CI has to have ${missing} for this test`)
    t.skip(`no ${missing}`)
    return undefined
  }
  const { start, setUp } = SHELLS[name] as ShellUnderTest
  const child = spawn('script', ['-qec', start, '/dev/null'], {
    cwd: folder.path,
    env: { ...process.env, PATH: pathWithCommand(), TERM: 'xterm', HOME: folder.path, COLUMNS: '200', LINES: '50' },
  })
  let drawn = ''
  const steps = [setUp, ...lines]
  const next = () => {
    const step = steps.shift()
    // Printed in two parts, so that what is typed is not taken for what is printed.
    const mark = `printf "%s%s\\n" READY ${steps.length}\n`
    if (step === undefined) child.stdin.write('exit\n')
    else child.stdin.write(step === setUp ? `${step}\n${mark}` : `${step}\t\u0001shown \u0005\n${mark}`)
  }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    drawn += text
    if (!drawn.includes(`READY${steps.length}`)) return
    drawn = drawn.replaceAll(`READY${steps.length}`, 'ready')
    next()
  })
  next()
  await new Promise((resolve) => child.on('close', resolve))
  return drawn
}

describe('completion in a real shell', () => {
  for (const name of Object.keys(SHELLS)) {
    it(`${name} completes commands, flags, choices, datasets and files`, async (t) => {
      const drawn = await completed(t, name, [
        'bellis smo',
        'bellis smooth --bloc',
        'bellis smooth a b --mode re',
        'bellis smooth a b --mode=re',
        'bellis status la',
        'bellis info tissue.hdf/volumes/r',
        'bellis smooth --config with',
        'bellis smooth --workers ti',
        "bellis run 'own task.ts' --inp",
        "bellis run 'own task.ts' --workers 2 --stre",
        "bellis run 'own task.ts' --strength fi",
        "bellis run 'own task.ts' --input tissue.hdf/volumes/r",
      ])
      if (drawn === undefined) return
      for (const words of [
        '<bellis><smooth>',
        '<bellis><smooth><--block->',
        '<bellis><smooth><a><b><--mode><reflect>',
        '<bellis><smooth><a><b><--mode=reflect>',
        '<bellis><status><last>',
        '<bellis><info><tissue.hdf/volumes/raw>',
        '<bellis><smooth><--config><with space.json>',
        '<bellis><smooth><--workers><ti>',
        '<bellis><run><own task.ts><--input>',
        '<bellis><run><own task.ts><--workers><2><--strength>',
        '<bellis><run><own task.ts><--strength><firm>',
        '<bellis><run><own task.ts><--input><tissue.hdf/volumes/raw>',
      ]) {
        assert.ok(drawn.includes(words), `${words} in:\n${drawn}`)
      }
    })
  }
})

describe('completion of runs', () => {
  it('leaves out names of which a shell would run or expand a part', async () => {
    using home = temporaryFolder()
    const options = { cwd: folder.path, env: { ...process.env, BELLIS_HOME: home.path } }
    const smooth = ['smooth', 'tissue.hdf/volumes/raw', 'smooth.zarr/raw', '--pool', 'inline', '--quiet']
    const { code, stderr } = await bellis(smooth, options)
    assert.equal(code, 0, stderr)
    const [run = ''] = readdirSync(home.path)
    for (const name of ['a$(touch pwned)', 'a;b', 'two words', 'a`b`', 'a\nb', '-rf']) {
      cpSync(join(home.path, run), join(home.path, `${name}-12345678`), { recursive: true })
    }
    cpSync(join(home.path, run), join(home.path, 'mine-12345678'), { recursive: true })
    const { stdout } = await bellis(['__complete', 'status', ''], options)
    assert.deepEqual(new Set(stdout.trim().split('\n')), new Set(['last', run, 'mine-12345678', ':files']))
  })
})
