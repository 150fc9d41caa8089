import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createArray } from '../../src/entry/arrays.ts'
import { bellis, shownAddress, temporaryFolder } from '../support/command-line.ts'
import { filesBelow } from '../support/folders.ts'

const SECRET = '8badf00d8badf00d'

describe('a signed address', () => {
  const folder = temporaryFolder()
  const cwd = folder.path
  let isBroken = true
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://h')
    if (searchParams.get('X-Amz-Signature') !== SECRET) return response.writeHead(403).end()
    if (isBroken && /1.0.0$/.test(pathname)) return response.writeHead(400).end()
    try {
      response.end(readFileSync(join(cwd, pathname)))
    } catch {
      response.writeHead(404).end()
    }
  })
  let address = ''

  before(async () => {
    const array = await createArray(join(cwd, 'in.zarr/raw'), {
      shape: [16, 8, 8],
      chunkShape: [8, 8, 8],
      dtype: 'uint8',
      zarrFormat: 2,
    })
    await array.write(array.roi, new Uint8Array(16 * 64).fill(7))
    await array.close()
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/in.zarr/raw?X-Amz-Signature=${SECRET}`
  })
  after(() => {
    server.close()
    folder[Symbol.dispose]()
  })

  const assertHidden = (where: string, text: string) => assert.ok(!text.includes(SECRET), `${where}: ${text}`)

  it('leaves its signature in no file and in no output of a run that fails, and the run continues', async () => {
    const call = [
      'smooth',
      address,
      'out.zarr/raw',
      '--sigma',
      '0.1',
      '--block-write',
      '8,8,8',
      '--workers',
      '1',
      '--max-retries',
      '0',
    ]
    const failed = await bellis([...call, '--log-level', 'debug'], { cwd })
    assert.equal(failed.code, 1, failed.stderr)
    assert.match(failed.stderr, /Can't read http.*1.0.0: status 400/)
    for (const [name, text] of Object.entries(failed)) assertHidden(name, String(text))
    for (const command of [['runs'], ['runs', '--json'], ['status', 'last'], ['status', 'last', '--json']]) {
      const { stdout, stderr, code } = await bellis(command, { cwd })
      assert.equal(code, 0, stderr)
      assertHidden(command.join(' '), stdout + stderr)
    }
    const { stdout } = await bellis(['runs'], { cwd })
    assert.match(stdout, /to continue: .*smooth 'http:\/\/\S+\/in\.zarr\/raw\?…' .* {2}# write the query/)
    for (const { path, bytes } of filesBelow(cwd)) assertHidden(path, bytes.toString('latin1'))
    isBroken = false
    const done = await bellis(call, { cwd })
    assert.equal(done.code, 0, done.stderr)
    assert.match(done.stdout, /2 of 2 blocks, 1 of them already done/)
  })

  it('is not shown by info, by errors and on pages', async () => {
    const info = await bellis(['info', address, '--json'], { cwd })
    assert.equal(info.code, 0, info.stderr)
    assertHidden('info', info.stdout)
    for (const path of [address.replace('/raw?', '/rw?'), address.replace('.zarr/raw', '.n5/raw'), `${address}x`]) {
      const { code, stderr } = await bellis(['info', path, '--log-level', 'debug'], { cwd })
      assert.equal(code, 2, stderr)
      assertHidden(path, stderr)
    }
    await bellis(['show', address, '--no-open'], {
      cwd,
      meanwhile: async ({ pid, output }) => {
        const page = await shownAddress(output)
        const view = await (await fetch(`${page}view.json`)).text()
        assert.match(view, /in\.zarr\/raw\?…/)
        assertHidden('view.json', view)
        const { status } = await fetch(`${page}data/0/0/c/0/0/0`)
        assert.equal(status, 200)
        assertHidden('show', output.stdout + output.stderr)
        process.kill(pid, 'SIGINT')
      },
    })
  })
})
