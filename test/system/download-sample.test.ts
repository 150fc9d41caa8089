import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { bellis, temporaryFolder } from '../support/command-line.ts'
import { serveFile } from '../support/file-server.ts'

describe('bellis sample --download', () => {
  const folder = temporaryFolder()
  const cwd = folder.path
  let body: Buffer
  before(async () => {
    const { code, stderr } = await bellis(['sample', 'real.hdf', '--size', '16,96,96', '--quiet'], { cwd })
    assert.equal(code, 0, stderr)
    body = readFileSync(join(cwd, 'real.hdf'))
  })
  after(() => folder[Symbol.dispose]())

  it('a download stopped by Ctrl-C keeps what it has received, and the same command fetches the rest', async () => {
    const half = Math.floor(body.length / 2)
    await using server = await serveFile((request) => ({
      body,
      etag: '"a"',
      ...(request === 0 ? { stallAfter: half } : {}),
    }))
    const args = ['sample', 'a.hdf', '--download', 'A', '--from', server.address]
    const part = join(cwd, 'a.hdf.part')
    const stopped = await bellis(args, {
      cwd,
      meanwhile: async ({ pid }) => {
        while (!existsSync(part) || statSync(part).size < half) await wait(20)
        process.kill(pid, 'SIGINT')
      },
    })
    assert.equal(stopped.code, 130, stopped.stderr)
    assert.match(stopped.stderr, /Stopped; run the same command to continue\./)
    const { code, stdout, stderr } = await bellis([...args, '--json'], { cwd })
    assert.equal(code, 0, stderr)
    assert.deepEqual(JSON.parse(stdout), { path: 'a.hdf', sample: 'A', from: server.address, bytes: body.length })
    assert.deepEqual(server.asked, ['all', `bytes=${half}-`])
    assert.deepEqual(readFileSync(join(cwd, 'a.hdf')), body)
    assert.equal((await bellis(['info', 'a.hdf/volumes/raw'], { cwd })).code, 0)
    assert.deepEqual(readdirSync(cwd).sort(), ['a.hdf', 'real.hdf'])
  })

  it('sample --download finds each of the three files in a folder by its name, and keeps an existing file', async () => {
    await using server = await serveFile(() => ({ body }))
    const from = new URL('.', server.address).href
    const args = ['sample', 'c.hdf', '--download', 'C', '--from', from]
    const { stdout } = await bellis(args, { cwd })
    assert.match(stdout, /^c\.hdf: CREMI's sample C, \d+ kB\n$/)
    const kept = await bellis(args, { cwd })
    assert.equal(kept.code, 2)
    assert.match(kept.stderr, /c\.hdf exists; .*--overwrite/)
    assert.equal((await bellis([...args, '--overwrite', '--quiet'], { cwd })).code, 0)
    assert.equal(server.asked.length, 2)
  })

  it('sample --download does not mistake a web page for the file, and refuses contradictory arguments', async () => {
    await using server = await serveFile(() => ({ body: Buffer.from('<!doctype html><p>Not found') }))
    const cases: [string[], RegExp][] = [
      [['--download', 'A', '--from', server.address], /is not an HDF5 file: it starts with "<!doctyp"/],
      [['--download', 'A', '--from', 'cremi'], /--from cremi: expected an address/],
      [['--download', 'D'], /--download D: expected one of A, B, C/],
      [['--download', 'A', '--size', '8,8,8'], /--size and --seed do not apply to --download/],
      [['--from', server.address], /--from needs --download A, B or C/],
    ]
    for (const [args, message] of cases) {
      const { code, stdout, stderr } = await bellis(['sample', 'x.hdf', ...args], { cwd })
      assert.equal(code, 2, stderr)
      assert.match(stderr, message)
      assert.deepEqual([stdout, stderr.trim().split('\n').length], ['', 1])
    }
    assert.deepEqual(
      readdirSync(cwd).filter((name) => name.startsWith('x')),
      [],
    )
  })
})
