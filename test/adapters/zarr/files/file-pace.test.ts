import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FilePace } from '../../../../src/adapters/zarr/files/file-pace.ts'

const note = (pace: FilePace, count: number, ms: number, bytes = 0) => {
  for (let i = 0; i < count; i++) pace.note(ms, bytes)
}

describe('the pace of files', () => {
  it('is fast until most of the last 32 calls were slow', () => {
    const pace = new FilePace()
    for (let round = 0; round < 10; round++) {
      note(pace, 16, 50)
      note(pace, 16, 0.1)
      assert.equal(pace.isFast, true)
    }
    note(pace, 16, 50)
    assert.equal(pace.isFast, true)
    note(pace, 1, 50)
    assert.equal(pace.isFast, false)
  })

  it('expects more time for more bytes', () => {
    const pace = new FilePace()
    note(pace, 100, 5, 2 ** 23)
    assert.equal(pace.isFast, true)
  })

  it('tries one call of 32 while they are slow, and is fast again after three fast ones in a row', () => {
    const pace = new FilePace()
    note(pace, 17, 50)
    const nextProbe = () => {
      let calls = 1
      while (!pace.callsHere()) calls++
      return calls
    }
    assert.equal(nextProbe(), 32)
    for (const ms of [0.1, 0.1, 50, 0.1, 0.1]) {
      pace.note(ms, 0)
      assert.equal(nextProbe(), 32)
    }
    pace.note(0.1, 0)
    assert.equal(pace.isFast, true)
    assert.equal(nextProbe(), 1)
  })
})
