import assert from 'node:assert/strict'
import { cpSync, mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { deflateSync } from 'node:zlib'
import { PROVENANCE } from '../../../../src/core/progress/array-provenance.ts'
import { arrayStore, createArray } from '../../../../src/entry/arrays.ts'
import type { RecordedStart } from '../../../../src/entry/run-folder/provenance/changed-code.ts'
import { changedInputs } from '../../../../src/entry/run-folder/provenance/changed-inputs.ts'
import {
  type InputAtStart,
  identityNow,
  identityOfInput,
  isSameInput,
} from '../../../../src/entry/run-folder/provenance/input-identity.ts'
import { newestChunk } from '../../../../src/entry/run-folder/provenance/newest-chunk.ts'
import { npyBytes } from '../../../support/flat-files.ts'
import { pngBytes } from '../../../support/png-files.ts'
import { s3OrSkip } from '../../../support/s3.ts'
import { temporaryFolder } from '../../../support/zarr.ts'

const later = () => new Date(Date.now() + 5000)
const identityOf = async (path: string): Promise<InputAtStart> => {
  await using array = await arrayStore.open(path)
  return identityOfInput(array)
}
const create = async (path: string, attributes: Readonly<Record<string, unknown>> = {}, extent = 8) => {
  await using array = await createArray(path, {
    shape: [extent, 8, 8],
    dtype: 'uint8',
    chunkShape: [4, 8, 8],
    attributes,
  })
  await array.write(array.roi, new Uint8Array(extent * 64).fill(1))
}
const madeBy = (record: string, ended?: string) => ({
  [PROVENANCE]: {
    ...{ version: '0.1.0', task: 'smooth', config: {}, inputs: [], run: 'smooth-b-1', record },
    started: '2026-11-29T00:00:00.000Z',
    ...(ended === undefined ? {} : { ended }),
  },
})
const isSame = async (before: InputAtStart, path: string): Promise<boolean> => {
  const now = await identityOf(path)
  assert.deepEqual(await identityNow(before), now, 'status sees what a start sees')
  return isSameInput(before, now)
}

describe('the identity of an input', () => {
  for (const name of ['a.zarr/b', 'a.n5/b', 'a.precomputed']) {
    it(`that a run has made is its record and when it was completed, whatever else changes: ${name}`, async (t) => {
      const path = join(await temporaryFolder(t), name)
      await create(path, madeBy('one'))
      const open = await identityOf(path)
      assert.deepEqual([open.run, open.record, open.completed], ['smooth-b-1', 'one', null])
      await using array = await arrayStore.open(path, { mode: 'r+' })
      await array.setAttributes?.({ ...madeBy('one', '2026-11-29T01:00:00.000Z') })
      assert.equal(await isSame(open, path), false, 'completed since')
      const whole = await identityOf(path)
      await array.setAttributes?.({ color: 'red' })
      assert.equal(await isSame(whole, path), true, 'another attribute')
      await array.setAttributes?.({ ...madeBy('two', '2026-11-29T01:00:00.000Z') })
      assert.equal(await isSame(whole, path), false, 'another record')
    })

    it(`that no run has made is its metadata: ${name}`, async (t) => {
      const path = join(await temporaryFolder(t), name)
      await create(path)
      const before = await identityOf(path)
      assert.ok(before.modified)
      assert.equal(await isSame(before, path), true)
      const file = { 'a.zarr/b': 'zarr.json', 'a.n5/b': 'attributes.json' }[name] ?? ''
      const place = file === '' ? (await arrayStore.open(path)).path : join(path, file)
      utimesSync(place, later(), later())
      assert.equal(await isSame(before, path), false)
    })
  }

  it('of another shape or element type is another', async (t) => {
    const path = join(await temporaryFolder(t), 'a.zarr/b')
    await create(path, madeBy('one'))
    const before = await identityOf(path)
    rmSync(path, { recursive: true })
    await create(path, madeBy('one'), 12)
    assert.equal(await isSame(before, path), false)
    assert.equal(isSameInput(before, { ...before, dtype: 'uint16' }), false)
  })

  it('is size and time of a file, and of all slices of a stack', async (t) => {
    const folder = await temporaryFolder(t)
    const file = join(folder, 'a.npy')
    writeFileSync(file, npyBytes([2, 3, 4], 'uint8', new Uint8Array(24)))
    const before = await identityOf(file)
    assert.equal(before.bytes, readFileSync(file).length)
    assert.equal(await isSame(before, file), true)
    utimesSync(file, later(), later())
    assert.equal(await isSame(before, file), false)
    const slices = join(folder, 'slices')
    mkdirSync(slices)
    const slice = pngBytes({ width: 4, height: 4, data: [deflateSync(new Uint8Array(20))] })
    for (const index of [0, 1]) writeFileSync(join(slices, `${index}.png`), slice)
    const stack = await identityOf(slices)
    assert.equal(await isSame(stack, slices), true)
    utimesSync(join(slices, '1.png'), later(), later())
    assert.equal(await isSame(stack, slices), false)
  })

  it('is not known of what is missing, and what only one of two says does not count', async (t) => {
    const folder = await temporaryFolder(t)
    await create(join(folder, 'a.zarr/b'))
    const before = await identityOf(join(folder, 'a.zarr/b'))
    rmSync(join(folder, 'a.zarr'), { recursive: true })
    assert.equal(await identityNow(before), undefined)
    const { modified: _, ...others } = before
    assert.equal(isSameInput(before, others), true)
    assert.equal(isSameInput({ ...before, record: 'one' }, { ...before, record: 'one', completed: null }), true)
  })

  it('behind http is what the server calls the version of the metadata', async (t) => {
    const folder = await temporaryFolder(t)
    await create(join(folder, 'a.zarr/b'))
    let tag = '"one"'
    const server = await serving(t, folder, () => tag)
    const path = `${server}/a.zarr/b`
    const before = await identityOf(path)
    assert.equal(before.version, '"one"')
    assert.equal(isSameInput(before, await identityOf(path)), true)
    tag = '"two"'
    assert.equal(isSameInput(before, await identityOf(path)), false)
    assert.equal(await identityNow(before), undefined, 'status asks no server')
  })

  it('in an object store is its version, or the record of what made it', async (t) => {
    await using server = await s3OrSkip(t)
    if (server === undefined) return
    Object.assign(process.env, server.env)
    server.makeBucket('inputs')
    await create('s3://inputs/a.zarr/b')
    const before = await identityOf('s3://inputs/a.zarr/b')
    assert.ok(before.version)
    assert.equal(isSameInput(before, await identityOf('s3://inputs/a.zarr/b')), true)
    await using array = await arrayStore.open('s3://inputs/a.zarr/b', { mode: 'r+' })
    await array.setAttributes?.({ color: 'red' })
    assert.equal(isSameInput(before, await identityOf('s3://inputs/a.zarr/b')), false)
    await array.setAttributes?.(madeBy('one'))
    assert.equal((await identityOf('s3://inputs/a.zarr/b')).record, 'one')
  })
})

/** The address of a server of a folder. @param tag the entity tag of all files */
async function serving(t: TestContext, folder: string, tag: () => string): Promise<string> {
  const server = createServer((request, response) => {
    try {
      const body = readFileSync(join(folder, request.url ?? ''))
      response.writeHead(200, { etag: tag() }).end(body)
    } catch {
      response.writeHead(404).end()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => void server.close().closeAllConnections())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('the newest chunk of an array', () => {
  it('counts chunks, in folders of folders, and neither metadata nor files of runs', async (t) => {
    const path = join(await temporaryFolder(t), 'a.zarr/b')
    await create(path)
    const before = await newestChunk(path)
    const time = later()
    for (const file of ['zarr.json', '.bellis-run']) {
      cpSync(join(path, 'zarr.json'), join(path, file === 'zarr.json' ? '.copy' : file))
      utimesSync(join(path, file), time, time)
    }
    assert.equal(await newestChunk(path), before)
    utimesSync(join(path, 'c/1/0/0'), time, time)
    assert.equal(await newestChunk(path), time.toISOString())
    const empty = join(path, 'empty')
    mkdirSync(empty)
    assert.equal(await newestChunk(empty), undefined)
  })
})

describe('inputs that changed', () => {
  const input = (record: string, more: object = {}): InputAtStart => ({
    ...{ path: '/b', format: 'zarr3', shape: [8], dtype: 'uint8', run: `run-${record}`, record, completed: '2026' },
    ...more,
  })
  const startsOf = (...list: [record: string, before: number][]): RecordedStart[] =>
    list.map(([record, before], hour) => ({
      started: `2026-11-29T0${hour}:00:00.000Z`,
      ended: `2026-11-29T0${hour}:30:00.000Z`,
      tasks: [{ id: 'a', before, reads: ['/b'] }],
      inputs: [input(record)],
    }))
  const found = (starts: RecordedStart[], record: string, before: number, more: object = {}) =>
    changedInputs(starts, { tasks: [{ id: 'a', before, reads: ['/b'] }], inputs: [input(record, more)] })

  it('are told at every start until their blocks are done again, with those that other starts have done', () => {
    const [first, ...more] = found(startsOf(['x', 0], ['y', 10]), 'y', 40)
    assert.deepEqual(
      [first, more],
      [
        {
          ...{ task: 'a', path: '/b', blocks: 10, isExact: true, completed: 40 },
          ...{ from: '2026-11-29T00:00:00.000Z', to: '2026-11-29T00:30:00.000Z' },
          ...{ run: 'run-y', runCompleted: '2026' },
        },
        [],
      ],
    )
    assert.deepEqual(found(startsOf(['x', 0], ['y', 10], ['y', 40]), 'y', 40)[0]?.blocks, 10)
    assert.deepEqual(found(startsOf(['x', 0], ['y', 10], ['y', 0]), 'y', 40), [])
    assert.deepEqual(found(startsOf(['x', 0], ['y', 10]), 'x', 40)[0]?.blocks, 30, 'one that was there before')
  })

  it('are none of tasks that do not read them, and of starts that do not say what they read', () => {
    const starts = startsOf(['x', 0])
    assert.deepEqual(changedInputs(starts, { tasks: [{ id: 'a', before: 5, reads: [] }], inputs: [input('y')] }), [])
    assert.deepEqual(found([{ started: '2026', tasks: [{ id: 'a', before: 0 }] }], 'y', 5), [])
    assert.deepEqual(found(starts, 'y', 0), [])
  })

  it('are those with chunks that are newer than the start that did blocks', () => {
    const starts = startsOf(['x', 0], ['x', 10])
    assert.equal(found(starts, 'x', 40, { newestChunk: '2026-11-29T02:00:00.000Z' })[0]?.blocks, 40)
    const [half] = found(starts, 'x', 40, { newestChunk: '2026-11-29T00:45:00.000Z' })
    assert.deepEqual([half?.blocks, half?.modified, half?.run], [10, '2026-11-29T00:45:00.000Z', undefined])
    assert.deepEqual(found(starts, 'x', 40, { newestChunk: '2026-11-28T00:00:00.000Z' }), [])
  })
})
