import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createArray } from 'bellis'
import { bellis, temporaryFolder } from '../support/command-line.ts'

const hook = fileURLToPath(new URL('../support/print-modules.mjs', import.meta.url))
const folder = temporaryFolder()

/** What a process has loaded. */
interface Loaded {
  readonly program: string
  readonly node: readonly string[]
  readonly files: readonly string[]
}

before(async () => {
  await using array = await createArray(join(folder.path, 'in.zarr/raw'), { shape: [8, 8, 8], dtype: 'uint8' })
  await array.write(array.roi, new Uint8Array(512).fill(1))
})
after(() => folder[Symbol.dispose]())

async function loadedBy(...args: string[]): Promise<Loaded[]> {
  const log = join(folder.path, `${args[0]}.log`)
  const env = { NODE_OPTIONS: `--import=${hook}`, PRINT_MODULES: log, NODE_DISABLE_COMPILE_CACHE: '1' }
  const { code, stderr } = await bellis(args, { cwd: folder.path, env })
  assert.equal(code, 0, stderr)
  const lines = readFileSync(log, 'utf8').trim().split('\n')
  return lines.map((line) => JSON.parse(line) as Loaded)
}

// What takes long to load, and what few commands need: fetch, TLS, HTTP, a database.
const HEAVY = ['internal/deps/undici/undici', 'internal/crypto/webcrypto', 'http2', 'internal/test_runner/test']

describe('the start of a process', () => {
  it('loads few files, and nothing of Node that only other commands need, for info', async () => {
    const [command] = await loadedBy('info', 'in.zarr/raw')
    assert.deepEqual(
      command?.node.filter((name) => [...HEAVY, 'http', 'tls', 'sqlite'].includes(name)),
      [],
    )
    assert.ok((command?.files.length ?? 0) < 12, command?.files.join('\n'))
  })

  it('loads few files, and nothing of Node that only other commands need, for a run and its worker', async () => {
    const processes = await loadedBy('convert', 'in.zarr/raw', 'out.zarr/raw', '--workers', '1', '--quiet')
    assert.deepEqual(processes.map(({ program }) => basename(program)).sort(), ['bellis.js', 'worker-process.js'])
    for (const { program, node, files } of processes) {
      assert.deepEqual(
        node.filter((name) => [...HEAVY, 'http', 'tls'].includes(name)),
        [],
        program,
      )
      assert.ok(files.length < (program.endsWith('bellis.js') ? 32 : 14), `${program}\n${files.join('\n')}`)
    }
  })
})

describe('the compiled code that is kept', () => {
  const inCache = (name: string) => {
    const caches = join(folder.path, name)
    const all = join(caches, 'bellis', 'compiled')
    const env = { XDG_CACHE_HOME: caches, NODE_COMPILE_CACHE: undefined, NODE_DISABLE_COMPILE_CACHE: undefined }
    const info = async (more: NodeJS.ProcessEnv = {}) => {
      const { code, stderr } = await bellis(['info', 'in.zarr/raw'], { cwd: folder.path, env: { ...env, ...more } })
      assert.equal(code, 0, stderr)
      assert.equal(stderr, '')
    }
    return { all, info }
  }
  /** Folders as other builds leave them, used longer and longer ago. */
  const otherBuilds = (all: string, count: number) => {
    for (let build = 1; build <= count; build++) {
      const path = join(all, `build-other${build}`)
      mkdirSync(join(path, 'v24.0.0-x64-1-0'), { recursive: true, mode: 0o700 })
      writeFileSync(join(path, 'v24.0.0-x64-1-0', 'code'), 'compiled')
      const used = new Date(Date.now() - build * 86_400_000)
      utimesSync(path, used, used)
    }
  }

  it('is that of the eight builds that were used last, and nothing else is removed', async () => {
    const { all, info } = inCache('bounded')
    otherBuilds(all, 12)
    mkdirSync(join(all, 'v22.18.0-x64-00250a7c-0'))
    writeFileSync(join(all, 'notes'), 'not ours')
    await info()
    const own = readdirSync(all).filter((name) => !/other|notes/.test(name))
    assert.equal(own.length, 1)
    const others = Array.from({ length: 7 }, (_, i) => `build-other${i + 1}`)
    assert.deepEqual(readdirSync(all).sort(), [...own, ...others, 'notes'].sort())
    // Only the first start of a build looks at the others.
    otherBuilds(all, 12)
    await info()
    assert.equal(readdirSync(all).length, 14)
  })

  it('counts as used today after a start', async () => {
    const { all, info } = inCache('used')
    await info()
    const [own = ''] = readdirSync(all)
    const old = new Date(Date.now() - 100 * 86_400_000)
    utimesSync(join(all, own), old, old)
    await info()
    assert.ok(statSync(join(all, own)).mtimeMs > Date.now() - 86_400_000)
  })

  it('is made by several processes at once, and may vanish while one is running', async () => {
    const { all, info } = inCache('together')
    otherBuilds(all, 12)
    await Promise.all(Array.from({ length: 4 }, () => info()))
    assert.equal(readdirSync(all).length, 8)
    const remove = join(folder.path, 'remove.mjs')
    const text = `import { rmSync } from 'node:fs'\nprocess.on('exit', () => rmSync(${JSON.stringify(all)}, { recursive: true }))\n`
    writeFileSync(remove, text)
    await info({ NODE_OPTIONS: `--import=${remove}` })
    assert.ok(!existsSync(all))
    await info()
    assert.equal(readdirSync(all).length, 1)
  })
})
