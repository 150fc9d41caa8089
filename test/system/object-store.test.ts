import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { s3Bucket } from '../../src/adapters/s3/s3-bucket.ts'
import { bytesOf } from '../../src/core/array/dtype.ts'
import { createArray, openArray } from '../../src/entry/arrays.ts'
import { startViewer } from '../../src/entry/pages/viewer-server.ts'
import { bellis, temporaryFolder } from '../support/command-line.ts'
import { tiffFileOf, writeHdf5 } from '../support/contract-files.ts'
import { filesBelow } from '../support/folders.ts'
import type { SeenRequest } from '../support/object-server.ts'
import { OBJECT_STORES } from '../support/object-stores.ts'
import { s3OrSkip } from '../support/s3.ts'
import { countOf, noise } from '../support/zarr.ts'

const skipped: string[] = []
const server = await s3OrSkip({ skip: (reason = '') => void skipped.push(reason) })
for (const bucket of ['source', 'target']) server?.makeBucket(bucket)
Object.assign(process.env, server?.env)
const folder = temporaryFolder()
const cwd = folder.path
after(async () => {
  await server?.[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})
for (const reason of skipped) it('reads and writes object stores', { skip: reason })

const SHAPE = [1024, 16, 16]
const CHUNK = [32, 16, 16]

async function voxelsOf(path: string): Promise<Uint8Array> {
  await using array = await openArray(path)
  return bytesOf((await array.read(array.roi)).data)
}

let seed = 0

async function makeSource(path: string): Promise<Uint8Array> {
  const voxels = noise('uint8', countOf(SHAPE), ++seed) as Uint8Array
  await using array = await createArray(path, { shape: SHAPE, chunkShape: CHUNK, dtype: 'uint8' })
  await array.write(array.roi, voxels)
  return voxels
}

if (server !== undefined) {
  const run = (...args: string[]) => bellis(args, { cwd })
  /** A run of 8 blocks. */
  const convert = (from: string, to: string, ...options: string[]) =>
    run('convert', from, to, '--workers', '2', '--chunk', CHUNK.join(), ...options)
  const isChunk = ({ method, path }: SeenRequest, name: string) => method === 'PUT' && path.includes(`/${name}/raw/c/`)

  describe('an object store', () => {
    let voxels: Uint8Array
    before(async () => {
      voxels = await makeSource('s3://source/a.zarr/raw')
    })
    beforeEach(() => {
      server.fault = undefined
      server.seen.length = 0
    })

    it('has the inputs and the outputs of runs, and their marks, and no secret is left anywhere', async () => {
      const copied = await convert('s3://source/a.zarr/raw', 's3://target/a.zarr/raw')
      assert.equal(copied.code, 0, copied.stderr)
      assert.deepEqual(await voxelsOf('s3://target/a.zarr/raw'), voxels)
      const again = await convert('s3://source/a.zarr/raw', 's3://target/a.zarr/raw')
      assert.match(again.stdout + again.stderr, /Nothing left to do/)
      const info = await run('info', 's3://target/a.zarr', '--json')
      const described = JSON.parse(info.stdout)
      assert.deepEqual([described.chunksStored, described.shape], [32, SHAPE])
      const others = await makeSource('s3://source/b.zarr/raw')
      const other = await convert('s3://source/b.zarr/raw', 's3://target/a.zarr/raw')
      assert.equal(other.code, 2, other.stderr)
      assert.match(other.stderr, /contains data that this run did not write, written by "bellis convert/)
      const replaced = await convert('s3://source/b.zarr/raw', 's3://target/a.zarr/raw', '--overwrite', '--yes')
      assert.equal(replaced.code, 0, replaced.stderr)
      assert.deepEqual(await voxelsOf('s3://target/a.zarr/raw'), others)
      const secret = server.env.AWS_SECRET_ACCESS_KEY as string
      for (const { path, bytes } of filesBelow(cwd)) assert.ok(!bytes.includes(secret), path)
      assert.ok(!`${copied.stdout}${copied.stderr}`.includes(secret))
    })

    it('has pyramids, which pages show', async () => {
      const made = await run('downsample', 's3://source/a.zarr/raw', '--workers', '2', '--levels', '1')
      assert.equal(made.code, 0, made.stderr)
      await using viewer = await startViewer([{ path: 's3://source/a.zarr/raw' }])
      assert.equal((await fetch(viewer.address)).status, 200)
      assert.deepEqual(
        viewer.view.layers.map(({ path }) => path),
        ['s3://source/a.zarr/raw'],
      )
    })

    it('has N5 and precomputed volumes, too', async () => {
      for (const target of ['s3://target/a.n5/raw', 's3://target/a.precomputed/raw']) {
        const copied = await run('convert', 's3://source/a.zarr/raw', target, '--workers', '1')
        assert.equal(copied.code, 0, copied.stderr)
        assert.deepEqual(await voxelsOf(target), voxels)
        const listed = await run('info', target.slice(0, -4), '--json')
        assert.deepEqual(JSON.parse(listed.stdout).shape, SHAPE)
      }
    })

    it('that is killed and restarted in the middle of a run ends up complete and right', async () => {
      let chunks = 0
      let refused = 0
      let isDown = false
      server.fault = (request) => {
        // Several requests have failed by then, of both workers.
        if (isDown && ++refused === 6) void server.restart().then(() => (isDown = false))
        else if (isChunk(request, 'killed.zarr') && ++chunks === 10) {
          isDown = true
          void server.kill()
        }
        return undefined
      }
      const copied = await convert('s3://source/a.zarr/raw', 's3://target/killed.zarr/raw')
      assert.equal(copied.code, 0, copied.stderr)
      assert.ok(refused >= 6)
      server.fault = undefined
      assert.deepEqual(await voxelsOf('s3://target/killed.zarr/raw'), voxels)
    })

    it('whose credentials expire stops the run with one error, and the same command continues', async () => {
      let chunks = 0
      server.fault = (request) => {
        if (isChunk(request, 'expired.zarr')) chunks++
        return chunks > 10 ? { status: 400, code: 'ExpiredToken' } : undefined
      }
      const stopped = await convert('s3://source/a.zarr/raw', 's3://target/expired.zarr/raw')
      assert.notEqual(stopped.code, 0)
      assert.match(
        stopped.stderr,
        /the credentials from the environment \(AWS_ACCESS_KEY_ID\) have expired; set AWS_ACCESS_KEY_ID, .* to new ones, then run the same command again/,
      )
      server.fault = undefined
      const done = await convert('s3://source/a.zarr/raw', 's3://target/expired.zarr/raw')
      assert.equal(done.code, 0, done.stderr)
      assert.deepEqual(await voxelsOf('s3://target/expired.zarr/raw'), voxels)
    })

    it('has HDF5 and TIFF files that runs read by ranges, through failures of the service', async () => {
      const wanted = { shape: [64, 96, 96], dtype: 'uint8', chunkShape: [16, 32, 32], fillValue: 0 } as const
      const stored = noise('uint8', countOf(wanted.shape), 77) as Uint8Array
      const path = join(cwd, 'scan.h5')
      await writeHdf5(path, wanted, stored, 'gzip')
      const bucket = s3Bucket('source')
      await bucket.put('d/scan.h5', [readFileSync(path)])
      await bucket.put('d/scan.tif', [tiffFileOf(wanted, stored)])
      const info = await run('info', 's3://source/d/scan.h5')
      assert.match(info.stdout, /uint8/)
      let asked = 0
      server.fault = ({ path }) =>
        path.includes('/d/scan') && ++asked % 3 === 0 ? { status: 503, code: 'SlowDown' } : undefined
      for (const [from, to] of [
        ['s3://source/d/scan.h5/raw', 's3://target/scan.zarr/h5'],
        ['s3://source/d/scan.tif', 's3://target/scan.zarr/tif'],
      ] as const) {
        const { code, stderr } = await convert(from, to)
        assert.equal(code, 0, stderr)
        assert.deepEqual(await voxelsOf(to), stored, from)
      }
      assert.ok(asked > 3)
    })

    it('says in one error what is wrong with an address', async () => {
      for (const [path, message] of [
        ['s3://nowhere/a.zarr/raw', /there is no bucket nowhere; check its name/],
        ['s3://source/none.zarr/raw', /s3:\/\/source\/none\.zarr does not exist; check the path/],
        ['s3://source/a.zarr/rav', /There is no "rav" in s3:\/\/source\/a\.zarr; it has .*raw/],
        ['s3://source/a.h5/raw', /There is no file s3:\/\/source\/a\.h5, or it may not be read/],
        ['s3://source/a.tif', /There is no file s3:\/\/source\/a\.tif/],
        ['s3://source/a.png', /s3:\/\/source\/a\.png is an address/],
        ['s3://source/*.tif', /s3:\/\/source\/\*\.tif is an address/],
        ['s3://source/a.zarr.zip/raw', /zip files can only be read from disks/],
        ['s3:///a.zarr/raw', /expected the name of a bucket/],
      ] as const) {
        const { code, stderr } = await run('convert', path, 'out.zarr/raw')
        assert.equal(code, 2, stderr)
        assert.match(stderr, message)
      }
    })
  })

  for (const { scheme, name, addressOf, orSkip } of OBJECT_STORES) {
    if (scheme === 's3') continue
    const why: string[] = []
    const other = await orSkip({ skip: (reason = '') => void why.push(reason) })
    after(() => other?.[Symbol.asyncDispose]())
    for (const reason of why) it(`copies between S3 and ${name}`, { skip: reason })
    if (other === undefined) continue
    Object.assign(process.env, other.env)
    await other.makeBucket('target')
    const root = addressOf('target')

    describe(name, () => {
      let voxels: Uint8Array
      before(async () => {
        voxels = await makeSource(`s3://source/${scheme}.zarr/raw`)
        server.fault = undefined
      })

      it('that is killed and restarted in the middle of a copy from S3 ends up complete and right', async () => {
        let chunks = 0
        let refused = 0
        let isDown = false
        other.fault = ({ method, path }) => {
          if (isDown && ++refused === 6) void other.restart().then(() => (isDown = false))
          else if (method !== 'GET' && /raw(\/|%2F)c(\/|%2F)/.test(path) && ++chunks === 10) {
            isDown = true
            void other.kill()
          }
          return undefined
        }
        const copied = await convert(`s3://source/${scheme}.zarr/raw`, `${root}/a.zarr/raw`)
        assert.equal(copied.code, 0, copied.stderr)
        assert.ok(refused >= 6)
        other.fault = undefined
        assert.deepEqual(await voxelsOf(`${root}/a.zarr/raw`), voxels)
        const again = await convert(`s3://source/${scheme}.zarr/raw`, `${root}/a.zarr/raw`)
        assert.match(again.stdout + again.stderr, /Nothing left to do/)
      })

      it('has the inputs and outputs of runs, with other formats and files', async () => {
        await using array = await createArray(`${root}/own.zarr/raw`, {
          shape: SHAPE,
          chunkShape: CHUNK,
          dtype: 'uint8',
        })
        await array.write(array.roi, voxels)
        const copied = await convert(`${root}/own.zarr/raw`, `${root}/b.n5/raw`)
        assert.equal(copied.code, 0, copied.stderr)
        assert.deepEqual(await voxelsOf(`${root}/b.n5/raw`), voxels)
        const info = await run('info', `${root}/own.zarr`, '--json')
        assert.deepEqual(JSON.parse(info.stdout).shape, SHAPE)
        const missing = await run('info', `${root}/none.zarr/raw`)
        assert.equal(missing.code, 2)
        assert.ok(missing.stderr.includes(`${root}/none.zarr does not exist; check the path`), missing.stderr)
        const replaced = await convert(`s3://source/${scheme}.zarr/raw`, `${root}/own.zarr/raw`, '--overwrite', '--yes')
        assert.equal(replaced.code, 0, replaced.stderr)
      })
    })
  }
}
