import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { temporaryFolder } from '../../support/command-line.ts'

const PROCESSES = 4
const ARRAYS = 6

/** Adds arrays to the group `vol` of a container, in several processes at once. */
async function addArrays(container: string, zarrFormat: 2 | 3): Promise<string[]> {
  const format = new URL('../../../src/adapters/zarr/zarr-format.ts', import.meta.url).href
  const axes = ['z', 'y', 'x'].map((name) => ({ name, type: 'space', scale: 4, unit: 'nanometer' }))
  const code = (worker: number) => `const { zarrFormat } = await import(${JSON.stringify(format)})
    for (let i = 0; i < ${ARRAYS}; i++) {
      const options = { shape: [4, 4, 4], dtype: 'uint8', zarrFormat: ${zarrFormat}, axes: ${JSON.stringify(axes)} }
      await zarrFormat().create(${JSON.stringify(container)}, 'vol/a${worker}-' + i, options)
    }`
  const workers = Array.from({ length: PROCESSES }, (_, worker) => worker)
  const run = promisify(execFile)
  await Promise.all(
    workers.map((worker) => run(process.execPath, ['--input-type=module', '-e', code(worker)], { timeout: 120_000 })),
  )
  return workers.flatMap((worker) => Array.from({ length: ARRAYS }, (_, i) => `a${worker}-${i}`)).sort()
}

const json = (...path: string[]) => JSON.parse(readFileSync(join(...path), 'utf8'))

const levels = (multiscales: { datasets: { path: string }[] }[]): string[] =>
  multiscales.flatMap(({ datasets }) => datasets.map(({ path }) => path)).sort()

describe('a group to which several processes add arrays at once', () => {
  it('D7: names all of them, in its pyramids and its consolidated metadata (Zarr 3)', async () => {
    using folder = temporaryFolder()
    const container = join(folder.path, 'c.zarr')
    mkdirSync(container)
    const consolidated = { kind: 'inline', must_understand: false, metadata: {} }
    const root = { zarr_format: 3, node_type: 'group', attributes: { mine: 1 }, consolidated_metadata: consolidated }
    writeFileSync(join(container, 'zarr.json'), JSON.stringify(root))
    const added = await addArrays(container, 3)
    const group = json(container, 'vol', 'zarr.json')
    assert.deepEqual(levels(group.attributes.ome.multiscales), added)
    const { metadata } = json(container, 'zarr.json').consolidated_metadata
    assert.deepEqual(Object.keys(metadata).sort(), ['vol', ...added.map((name) => `vol/${name}`)].sort())
    assert.deepEqual(levels(metadata.vol.attributes.ome.multiscales), added)
    assert.deepEqual(readdirSync(container).sort(), ['vol', 'zarr.json'])
  })

  it('D7: names all of them, in its pyramids and its consolidated metadata (Zarr 2)', async () => {
    using folder = temporaryFolder()
    const container = join(folder.path, 'c.zarr')
    mkdirSync(container)
    writeFileSync(join(container, '.zgroup'), '{"zarr_format":2}')
    writeFileSync(join(container, '.zmetadata'), '{"zarr_consolidated_format":1,"metadata":{}}')
    const added = await addArrays(container, 2)
    assert.deepEqual(levels(json(container, 'vol', '.zattrs').multiscales), added)
    const names = Object.keys(json(container, '.zmetadata').metadata)
    assert.deepEqual(
      names.filter((name) => name.endsWith('.zarray')).sort(),
      added.map((name) => `vol/${name}/.zarray`),
    )
  })

  it('D7: is made once if it is new', async () => {
    using folder = temporaryFolder()
    const container = join(folder.path, 'new.zarr')
    const added = await addArrays(container, 3)
    assert.deepEqual(levels(json(container, 'vol', 'zarr.json').attributes.ome.multiscales), added)
    assert.deepEqual(readdirSync(container).sort(), ['vol', 'zarr.json'])
  })
})
