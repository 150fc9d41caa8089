import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ListProgress } from '../../../src/adapters/objects/list-progress.ts'

const pageOf = (first: number, count: number) => ({
  objects: Array.from({ length: count }, (_, i) => `p/${first + i}`),
  folders: [],
  next: `after ${first}`,
})

describe('ListProgress', () => {
  it('lets a list have as many pages as it needs for its keys', () => {
    const progress = new ListProgress()
    for (let page = 0; page < 3000; page++) assert.equal(progress.add(pageOf(page * 20, 20)), undefined)
    assert.equal(progress.add({ objects: ['p/last'], folders: [], next: undefined }), undefined)
  })

  it('lets pages without keys be between others', () => {
    const progress = new ListProgress()
    for (let page = 0; page < 999; page++) {
      assert.equal(progress.add({ objects: [], folders: [], next: `${page}` }), undefined)
    }
    assert.equal(progress.add({ objects: ['p/a'], folders: ['p/b/'], next: undefined }), undefined)
  })

  it('ends a list of keys that do not fit into memory', () => {
    const progress = new ListProgress(100_000)
    assert.equal(progress.add(pageOf(0, 1000)), undefined)
    assert.match(progress.add(pageOf(1000, 1000)) as string, /2000 keys so far, more than fit into memory/)
  })
})
