import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { delimiter, dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { type Invitation, runBlockwise } from '../../src/entry/index.ts'
import { smooth } from '../../src/entry/tasks.ts'
import { bellis, runProgram, temporaryFolder } from '../support/command-line.ts'
import { pythonOrSkip } from '../support/python.ts'
import { documents, parseCommand, pathOf, patternOf } from './markdown.ts'

/** The blocks of all documents with a mark, or of a language. */
const blocksWith = (is: { readonly language: string; readonly mark?: string }) =>
  documents().flatMap(({ path, blocks }) =>
    blocks
      .filter(({ language, mark }) => language === is.language && (is.mark === undefined || mark === is.mark))
      .map(({ text, line }) => ({ text, path, where: `${path}:${line}` })),
  )

/** The documents' name for a run, which has another name on every machine, and its folder. */
const RUN = { name: 'smooth-out-smoothed-1a2b3c4d', home: '/home/me' }

const folder = temporaryFolder()
after(() => folder[Symbol.dispose]())
const cwd = folder.path
const SMOOTH = ['smooth', 'out.zarr/volumes/raw', 'out.zarr/volumes/smoothed', '--workers', '1']
/** A chunk of its input is damaged. */
const FAILING = [...SMOOTH, '--block-write', '16,32,32', '--sigma', '0.5']
let runName: string
/** The output of the commands whose output the documents show. */
let printed = ''
let result: Record<string, unknown>
before(async () => {
  const call = async (expected: number, ...words: string[]) => {
    const { code, stdout, stderr } = await bellis(words, { cwd })
    assert.equal(code, expected, stderr)
    printed += `${stdout}${stderr}`
    return stdout
  }
  await call(0, 'sample', 'sample.hdf', '--size', '16,96,96')
  await call(0, 'convert', 'sample.hdf/volumes/raw', 'out.zarr/volumes/raw', '--chunk', '8,32,32')
  result = JSON.parse(await call(0, ...SMOOTH, '--host', '0.0.0.0', '--json'))
  runName = readdirSync(join(cwd, '.bellis')).find((name) => name.startsWith('smooth-')) as string
  const resumes = blocksWith({ language: 'text', mark: 'resume' })
  assert.ok(resumes.length >= 2)
  for (const { text: line } of resumes) {
    await call(0, ...parseCommand(line.replaceAll(RUN.name, runName)).words.slice(1))
  }
  await call(2, 'info', 'out.zarr/volumes/rw')
  cpSync(join(cwd, 'out.zarr'), join(cwd, 'whole.zarr'), { recursive: true })
  truncateSync(join(cwd, 'out.zarr/volumes/raw/c/0/1/2'), 9)
  await call(1, ...FAILING, '--overwrite', '--yes')
})

describe('snippets of the documents', () => {
  it('show output that is really printed', () => {
    const blocks = blocksWith({ language: 'text', mark: 'output' })
    const shown = printed.replaceAll(cwd, RUN.home).replaceAll(runName, RUN.name)
    for (const { text, where } of blocks) {
      for (const line of text.split('\n')) assert.match(shown, patternOf(line), where)
    }
    assert.ok(blocks.length >= 2)
  })

  it('show the JSON of a run with its actual fields', () => {
    const blocks = blocksWith({ language: 'json', mark: '' }).filter(({ path }) => path !== 'docs/PROTOCOL.md')
    for (const { text, where } of blocks) {
      assert.deepEqual(
        fieldsOf(JSON.parse(text.replaceAll('[…]', '[]'))),
        fieldsOf({ ...result, workers: { ...(result.workers as object), each: [] } }),
        where,
      )
    }
    assert.ok(blocks.length >= 1)
  })

  it('show the provenance of an output with its actual fields', () => {
    const blocks = blocksWith({ language: 'json', mark: 'provenance' })
    const metadata = readFileSync(join(cwd, 'whole.zarr/volumes/smoothed/zarr.json'), 'utf8')
    const written = JSON.parse(metadata).attributes.bellis
    const withoutConfig = (fields: readonly string[]) => fields.filter((field) => !field.startsWith('.config.'))
    for (const { text: shown, where } of blocks) {
      assert.deepEqual(withoutConfig(fieldsOf(JSON.parse(shown))), withoutConfig(fieldsOf(written)), where)
    }
    assert.ok(blocks.length >= 1)
  })

  it('show a notice with its actual fields', async () => {
    const blocks = blocksWith({ language: 'json', mark: 'notice' })
    const posted: unknown[] = []
    const server = createServer((request, response) => {
      void text(request).then((body) => posted.push(JSON.parse(body)))
      response.end()
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const { code } = await bellis([...FAILING, '--overwrite', '--yes', '--notify', `http://127.0.0.1:${port}/`], {
      cwd,
    })
    server.close()
    assert.equal(code, 1)
    for (const block of blocks) assert.deepEqual(fieldsOf(JSON.parse(block.text)), fieldsOf(posted[0]), block.where)
    assert.ok(blocks.length >= 1)
  })

  it('show commands for a running run, which say that a run has ended', async () => {
    const commands = blocksWith({ language: 'text', mark: 'live' })
    for (const { text: line, where } of commands) {
      const { code, stderr } = await bellis(parseCommand(line).words.slice(1), { cwd })
      assert.equal(code, 2, where)
      assert.match(stderr, /not running/, where)
    }
    assert.ok(commands.length >= 3)
  })

  it('show commands for a run, and Python that reads their output, which work', async (t) => {
    const commands = blocksWith({ language: 'text', mark: 'record' })
    for (const { text, where } of commands) {
      const { words, exitCode } = parseCommand(text.replaceAll(RUN.name, runName))
      const { code, stderr } = await bellis(words.slice(1), { cwd })
      assert.equal(code, exitCode, `${where}\n${stderr}`)
    }
    assert.ok(commands.length >= 1)
    const python = pythonOrSkip(t)
    if (python === undefined) return
    for (const { text } of blocksWith({ language: 'python', mark: 'record' })) {
      const { stdout } = await promisify(execFile)(python, ['-c', text], { cwd })
      assert.match(stdout, /array\(\[.*not done/s)
    }
  })

  it('show a Python worker that does all blocks of a run', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    const workers = blocksWith({ language: 'python', mark: 'worker' })
    for (const [number, { text, where }] of workers.entries()) {
      // What a reader has: a function for a region.
      const given = `def smooth(read_roi, write_roi, sigma):
  assert sigma == 2 and len(read_roi.shape) == len(write_roi.shape) == 3
`
      // A worker that fails must not leave the run waiting for another one.
      const stop = new AbortController()
      let ended: Promise<unknown> | undefined
      const onListening = ({ context }: Invitation) => {
        const env = { ...process.env, BELLIS_CONTEXT: context, PYTHONPATH: pathOf('clients/python') }
        ended = promisify(execFile)(python, ['-c', given + text], { env })
        ended.catch((error) => stop.abort(error))
      }
      const [input, output] = [join(cwd, 'whole.zarr/volumes/raw'), join(cwd, `by-python.zarr/${number}`)]
      const options = { pool: 'none', runDir: join(cwd, '.bellis'), onListening, signal: stop.signal } as const
      const { ok, tasks } = await runBlockwise(smooth({ input, output, blockWrite: [8, 32, 32] }), options)
      await ended
      assert.deepEqual([ok, tasks[0]?.completed], [true, 18], where)
    }
    assert.ok(workers.length >= 2)
  })

  it('show settings for NumPy that turn off the CPU features that they name', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    const script = `import os
from numpy._core._multiarray_umath import __cpu_features__ as features
for name in os.environ["NPY_DISABLE_CPU_FEATURES"].split():
  assert features[name] is False, name
`
    writeFileSync(join(cwd, 'compare.py'), script)
    const env = { PATH: `${dirname(python)}${delimiter}${process.env.PATH}` }
    const blocks = blocksWith({ language: 'text', mark: 'numpy' })
    for (const { text, where } of blocks) {
      const { code, stderr } = await runProgram('bash', ['-c', text], { cwd, env })
      assert.equal(code, 0, `${where}\n${stderr}`)
    }
    assert.ok(blocks.length >= 1)
  })
})

/** The names of all fields; for an array, those of its first element. */
function fieldsOf(value: unknown, path = ''): string[] {
  if (Array.isArray(value)) return value.length === 0 ? [path] : fieldsOf(value[0], `${path}[]`)
  if (typeof value !== 'object' || value === null) return [path]
  return Object.entries(value)
    .flatMap(([name, inner]) => fieldsOf(inner, `${path}.${name}`))
    .sort()
}
