import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseDatasetPath } from '../../src/entry/arrays.ts'

describe('a signed address', () => {
  it('may have its query behind the container or behind the array', () => {
    for (const path of ['http://h/x/a.zarr/raw/s0?sig=a%2Fb/c', 'http://h/x/a.zarr/raw/s0/?sig=a%2Fb/c']) {
      const { container, inner, format } = parseDatasetPath(path)
      assert.deepEqual([container, inner, format.name], ['http://h/x/a.zarr?sig=a%2Fb/c', 'raw/s0', 'zarr'])
    }
    const { container, inner } = parseDatasetPath('https://h/a.zarr?sig=1')
    assert.deepEqual([container, inner], ['https://h/a.zarr?sig=1', ''])
    assert.equal(parseDatasetPath('https://h/a?sig=b.zarr/x').container, 'https://h/a?sig=b.zarr/x')
  })

  it('is part of no local path', () => {
    const { container, inner } = parseDatasetPath('what?.zarr/raw?')
    assert.deepEqual([container, inner], ['what?.zarr', 'raw?'])
  })
})
