import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, statSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { View } from '../../src/core/view/view.ts'
import { createArray } from '../../src/entry/arrays.ts'
import {
  bellis,
  type CommandResult,
  PAGE_ADDRESS,
  type RunningCommand,
  shownAddress,
  temporaryFolder,
} from '../support/command-line.ts'

const RAW = 'sample.hdf/volumes/raw'
const LABELS = 'sample.hdf/volumes/labels/neuron_ids'

describe('bellis show', () => {
  const folder = temporaryFolder()
  const cwd = folder.path
  before(async () => {
    const { code, stderr } = await bellis(['sample', 'sample.hdf', '--size', '16,96,96', '--quiet'], { cwd })
    assert.equal(code, 0, stderr)
    await (await createArray(`${cwd}/line.zarr`, { shape: [9], dtype: 'uint8' })).close()
    await (await createArray(`${cwd}/float.zarr`, { shape: [9, 9], dtype: 'float32' })).close()
  })
  after(() => folder[Symbol.dispose]())

  /** Runs it until it has printed its address, calls a function with that, and ends it with Ctrl-C. */
  async function show(args: readonly string[], use: (address: string, view: View) => void | Promise<void>) {
    const meanwhile = async ({ pid, output }: RunningCommand) => {
      const address = await shownAddress(output)
      await use(address, (await (await fetch(`${address}view.json`)).json()) as View)
      process.kill(pid, 'SIGINT')
    }
    const result = await bellis(['show', ...args], { cwd, meanwhile, env: { DISPLAY: '', WAYLAND_DISPLAY: '' } })
    assert.equal(result.code, 0, result.stderr)
    return result
  }

  it('bellis show serves the page and its datasets on this machine only, prints how to reach it, and ends on Ctrl-C', async () => {
    const { stdout } = await show([RAW, LABELS, '--no-open'], async (address, view) => {
      assert.equal(new URL(address).hostname, '127.0.0.1')
      const page = await fetch(address)
      assert.equal(page.headers.get('content-type'), 'text/html; charset=utf-8')
      assert.deepEqual(
        view.layers.map(({ name, kind }) => `${name} ${kind}`),
        ['raw image', 'neuron_ids segmentation'],
      )
      const [low = 0, high = 0] = view.layers[0]?.range ?? []
      assert.ok(low > 0 && low < high && high < 255, `${low} ${high}`)
    })
    assert.match(stdout, /raw {2}image, 16 × 96 × 96 uint8, 40 × 4 × 4 nm/)
    const port = /127\.0\.0\.1:(\d+)/.exec(stdout)?.[1]
    assert.match(stdout, new RegExp(`ssh -N -L ${port}:127\\.0\\.0\\.1:${port} .*${hostname()}`))
  })

  it('bellis show applies the options for kind, position, layout and port', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    server.close()
    await once(server, 'close')
    const args = [
      '--image',
      LABELS,
      '--segmentation',
      RAW,
      '--position',
      '40,100,7.5',
      '--layout',
      'yz',
      '--port',
      `${port}`,
    ]
    await show(args, (address, view) => {
      assert.equal(Number(new URL(address).port), port)
      assert.deepEqual(view.layers.map(({ kind }) => kind).sort(), ['image', 'segmentation'])
      assert.deepEqual(view.position, [1.5, 25.5, 1.5])
      assert.equal(view.layout, 'yz')
    })
    for (const kind of ['segmentation', 'image'] as const) {
      await show([RAW, LABELS, `--${kind}`], (_, view) => {
        assert.deepEqual(
          view.layers.map((layer) => layer.kind),
          [kind, kind],
        )
      })
    }
  })

  it('bellis show names the file with its address if it does not print to a terminal, and removes it at the end', async () => {
    let file = ''
    const { stdout, stderr } = await bellis(['show', RAW, '--no-open'], {
      cwd,
      meanwhile: async ({ pid, output }) => {
        assert.equal((await fetch(await shownAddress(output))).status, 200)
        file = /its address is in (.*), which/.exec(output.stdout)?.[1] ?? ''
        assert.deepEqual(
          [file, dirname(file)].map((path) => statSync(path).mode & 0o777),
          [0o600, 0o700],
        )
        process.kill(pid, 'SIGINT')
      },
    })
    assert.doesNotMatch(stdout + stderr, PAGE_ADDRESS)
    assert.equal(existsSync(dirname(file)), false)
  })

  it('bellis show prints only the address with --quiet, and one document with --json', async () => {
    const quiet = await show([RAW, '--quiet'], () => {})
    assert.match(quiet.stdout, /^http:\/\/127\.0\.0\.1:\d+\/[\w-]{24}\/\n$/)
    const json = await show([RAW, '--json'], () => {})
    const document = JSON.parse(json.stdout) as { address: string; port: number; layers: unknown[] }
    assert.equal(new URL(document.address).port, String(document.port))
    assert.equal(document.layers.length, 1)
  })

  it('bellis show warns if others can reach it, and then names the machine', async () => {
    const { code, stdout, stderr } = await bellis(['show', RAW, '--host', '0.0.0.0', '--no-open'], {
      cwd,
      meanwhile: async ({ pid, output }) => {
        const address = new URL(await shownAddress(output))
        assert.equal(address.hostname, hostname().toLowerCase())
        address.hostname = '127.0.0.1'
        assert.equal((await fetch(address)).status, 200)
        process.kill(pid, 'SIGTERM')
      },
    })
    assert.equal(code, 0)
    assert.match(
      stderr,
      /^warning: the page at 0\.0\.0\.0 is not encrypted: .* read these datasets\. An ssh tunnel .*\n$/,
    )
    assert.doesNotMatch(stdout, /ssh/)
    assert.equal((await show([RAW, '--host', '127.0.0.1'], () => {})).stderr, '')
  })

  it('bellis show says in one line what cannot be shown, and exits with 2', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const cases: [string[], RegExp][] = [
      [[], /No dataset is given/],
      [['none.zarr/raw'], /none\.zarr does not exist/],
      [['none.hdf/raw'], /none\.hdf/],
      [['sample.hdf/volumes/rw'], /has no "volumes\/rw"; it has/],
      [['sample.hdf/volumes'], /is a group/],
      [['line.zarr'], /line\.zarr has 1 axis/],
      [['float.zarr', '--segmentation'], /has dtype float32: expected integers for a segmentation/],
      [[RAW, '--image', RAW, '--segmentation', RAW], /expected in --image or in --segmentation, not in both/],
      [[RAW, '--position', '1,2'], /expected 3 numbers \(z,y,x\), got 2/],
      [[RAW, '--position', '0,0,384'], /x extends from 0 to 384 nm/],
      [[RAW, '--layout', '5panel'], /--layout 5panel: expected one of xy, xz, yz, 4panel, 3d/],
      [[RAW, '--port', String(port)], new RegExp(`port ${port} is in use`)],
      [[RAW, '--port', '70000'], /--port 70000: expected a port from 0 to 65535/],
      [[RAW, '--host', '192.0.2.1'], /192\.0\.2\.1 is not an address of this machine/],
      [[RAW, '--cors', 'example.org/page'], /expected the origin of a web page/],
    ]
    const results: [string[], RegExp, CommandResult][] = []
    for (const [args, message] of cases) {
      results.push([args, message, await bellis(['show', ...args, '--no-open'], { cwd })])
    }
    server.close()
    for (const [args, message, { code, stdout, stderr }] of results) {
      assert.equal(code, 2, `${args.join(' ')}: ${stderr}`)
      assert.match(stderr, message, args.join(' '))
      assert.deepEqual([stdout, stderr.trim().split('\n').length], ['', 1], args.join(' '))
    }
  })
})
