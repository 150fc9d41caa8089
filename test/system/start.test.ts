import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
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
