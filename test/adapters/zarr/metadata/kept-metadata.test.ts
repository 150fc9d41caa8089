import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { type JsonObject, parseJson, stringifyJson } from '../../../../src/adapters/zarr/metadata/exact-json.ts'
import { zarrFormat } from '../../../../src/adapters/zarr/zarr-format.ts'
import { temporaryFolder } from '../../../support/zarr.ts'

const numbers = '"missing": NaN, "valid": [-Infinity, 1.0, 1e5], "id": 18446744073709551617, "text": "non-finite:NaN"'
const array = `{"zarr_format": 2, "shape": [1], "chunks": [1], "dtype": "<f4", "compressor": null, "fill_value": NaN,
  "order": "C", "filters": null}`
const axes = ['z', 'y', 'x'].map((name) => ({ name, type: 'space' as const, unit: 'nanometer', scale: 8 }))

const read = async (path: string) => parseJson(await readFile(path, 'utf8')) as JsonObject
const without = (json: JsonObject, name: string): JsonObject => {
  const { [name]: _, ...rest } = json
  return rest
}

describe('metadata of others beside a new array', () => {
  it('V6: stays as it is to the last digit in Zarr 2, consolidated or not', async (t) => {
    const root = join(await temporaryFolder(t), 'g.zarr')
    await mkdir(root)
    const files = { '.zgroup': '{"zarr_format": 2}', '.zattrs': `{${numbers}}` }
    const consolidated = `{"zarr_consolidated_format": 1, "metadata": {".zattrs": {${numbers}}, "other/.zarray": ${array},
      "other/.zattrs": {${numbers}}}}`
    for (const [name, text] of Object.entries({ ...files, '.zmetadata': consolidated }))
      await writeFile(join(root, name), text)
    await zarrFormat().create(root, 'raw', { shape: [4, 4, 4], dtype: 'uint8', axes, zarrFormat: 2 })
    const own = stringifyJson(parseJson(`{${numbers}}`))
    assert.equal(stringifyJson(without(await read(join(root, '.zattrs')), 'multiscales')), own)
    const { metadata } = (await read(join(root, '.zmetadata'))) as { metadata: JsonObject }
    assert.equal(stringifyJson(metadata['other/.zattrs'] as JsonObject), own)
    assert.equal(stringifyJson(metadata['other/.zarray'] as JsonObject), stringifyJson(parseJson(array)))
    assert.equal(stringifyJson(without(metadata['.zattrs'] as JsonObject, 'multiscales')), own)
  })

  it('V6: stays as it is to the last digit in Zarr 3', async (t) => {
    const root = join(await temporaryFolder(t), 'g.zarr')
    await mkdir(root)
    const inline = `{"kind": "inline", "must_understand": false, "metadata": {"other": {"node_type": "array", ${numbers}}}}`
    const group = `{"zarr_format": 3, "node_type": "group", "attributes": {${numbers}}, "consolidated_metadata": ${inline}}`
    await writeFile(join(root, 'zarr.json'), group)
    await zarrFormat().create(root, 'raw', { shape: [4, 4, 4], dtype: 'uint8', axes })
    const after = (await read(join(root, 'zarr.json'))) as Record<string, JsonObject>
    const own = stringifyJson(parseJson(`{${numbers}}`))
    assert.equal(stringifyJson(without(after.attributes as JsonObject, 'ome')), own)
    const { other } = (after.consolidated_metadata as { metadata: JsonObject }).metadata as { other: JsonObject }
    assert.equal(stringifyJson(without(other, 'node_type')), own)
  })

  it('stays as it is to the last digit when attributes of an array are set', async (t) => {
    for (const version of [2, 3] as const) {
      const root = join(await temporaryFolder(t), 'g.zarr')
      await zarrFormat().create(root, 'raw', { shape: [4, 4, 4], dtype: 'float32', zarrFormat: version, axes })
      const own = join(root, 'raw', version === 2 ? '.zattrs' : 'zarr.json')
      const before = await read(own)
      const attributes = {
        ...((version === 2 ? before : before.attributes) as JsonObject),
        ...(parseJson(`{${numbers}}`) as JsonObject),
      }
      const text = stringifyJson(
        parseJson(stringifyJson(attributes).replace(/}\s*$/, `, ${numbers.replace('"text"', '"more"')}}`)),
      )
      await writeFile(own, version === 2 ? text : stringifyJson({ ...before, attributes: parseJson(text) }))
      await using array = await zarrFormat().open(root, 'raw', { mode: 'r+' })
      await array.setAttributes?.({ bellis: { task: 'smooth' }, id: 3 })
      const after = await read(own)
      const found = (version === 2 ? after : after.attributes) as JsonObject
      assert.deepEqual([found.bellis, found.id], [{ task: 'smooth' }, 3])
      const others = (json: JsonObject) => stringifyJson(without(without(json, 'bellis'), 'id'))
      assert.equal(others(found), others(parseJson(text) as JsonObject))
      if (version === 3)
        assert.equal(stringifyJson(without(after, 'attributes')), stringifyJson(without(before, 'attributes')))
      await using again = await zarrFormat().open(root, 'raw')
      assert.deepEqual(again.attributes.bellis, { task: 'smooth' })
      await assert.rejects(async () => again.setAttributes?.({}), { code: 'READ_ONLY' })
    }
  })

  it('names set attributes in consolidated metadata, beside the array itself', async (t) => {
    const two = join(await temporaryFolder(t), 'two.zarr')
    await zarrFormat().create(two, 'raw', { shape: [4], dtype: 'uint8', zarrFormat: 2 })
    await writeFile(join(two, '.zmetadata'), '{"zarr_consolidated_format": 1, "metadata": {"raw/.zattrs": {}}}')
    await using first = await zarrFormat().open(two, 'raw', { mode: 'r+' })
    await first.setAttributes?.({ bellis: 1 })
    const { metadata } = (await read(join(two, '.zmetadata'))) as { metadata: JsonObject }
    assert.deepEqual(Object.keys(metadata), ['raw/.zarray', 'raw/.zattrs'])
    assert.equal((metadata['raw/.zattrs'] as JsonObject).bellis, 1)
    const three = join(await temporaryFolder(t), 'three.zarr')
    await zarrFormat().create(three, 'raw', { shape: [4], dtype: 'uint8' })
    const inline = { kind: 'inline', must_understand: false, metadata: {} }
    await writeFile(
      join(three, 'zarr.json'),
      stringifyJson({ ...(await read(join(three, 'zarr.json'))), consolidated_metadata: inline }),
    )
    await using second = await zarrFormat().open(three, 'raw', { mode: 'r+' })
    await second.setAttributes?.({ bellis: 1 })
    const group = (await read(join(three, 'zarr.json'))) as {
      consolidated_metadata: { metadata: { raw: { attributes: JsonObject } } }
    }
    assert.equal(group.consolidated_metadata.metadata.raw.attributes.bellis, 1)
  })

  it('keeps the attributes of an array that is copied', async (t) => {
    const root = join(await temporaryFolder(t), 'g.zarr')
    const written = '"a": NaN, "b": [1.0, {"c": 18446744073709551617}]'
    const first = await zarrFormat().create(root, 'raw', { shape: [4], dtype: 'uint8' })
    const file = join(root, 'raw', 'zarr.json')
    await writeFile(file, (await readFile(file, 'utf8')).replace('"attributes": {}', `"attributes": {${written}}`))
    const { attributes } = await zarrFormat().open(root, 'raw')
    await zarrFormat().create(root, 'copy', { shape: first.shape, dtype: 'uint8', attributes })
    const copy = (await read(join(root, 'copy', 'zarr.json'))).attributes as JsonObject
    assert.equal(stringifyJson(copy), stringifyJson(parseJson(`{${written}}`)))
  })
})
