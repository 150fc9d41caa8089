import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { describeEnd, oomKills, oomKillsIn } from '../../../src/adapters/processes/process-end.ts'

describe('the end of a worker process', () => {
  it('is described by its exit code or its signal, and as out of memory if the system killed it for that', () => {
    assert.equal(describeEnd(1, null, 2), 'exit code 1')
    assert.equal(describeEnd(null, 'SIGTERM', 2), 'killed by SIGTERM')
    assert.equal(describeEnd(null, 'SIGKILL', 0), 'killed by SIGKILL')
    assert.match(describeEnd(null, 'SIGKILL', 1), /^out of memory: the system killed it/)
  })

  it('is attributed to a lack of memory by the number of such kills that Linux counts', () => {
    assert.equal(oomKillsIn('nr_free_pages 3\noom_kill 17\ndrop_pagecache 0\n'), 17)
    assert.equal(oomKillsIn('nr_free_pages 3\n'), 0)
    assert.ok(oomKills() >= 0)
  })
})
