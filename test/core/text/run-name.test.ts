import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isSameRunName, runName } from '../../../src/core/text/run-name.ts'

describe('runName', () => {
  it('says what runs, the container that it writes, and the array in it', () => {
    assert.equal(runName('smooth', 'out.zarr/s'), 'smooth-out-s')
    assert.equal(runName('smooth', '/data/2026/out.zarr/volumes/smoothed'), 'smooth-out-smoothed')
    assert.equal(runName('convert', 'out.zarr'), 'convert-out')
    assert.equal(runName('convert', 'raw.zarr/raw'), 'convert-raw')
    assert.equal(runName('convert', 'plain/folder'), 'convert-folder')
    assert.equal(runName('convert', '/data/out.precomputed/4_4_40'), 'convert-out')
    assert.equal(runName('convert', 'plain/volume/4.6_4.6_50'), 'convert-volume')
    assert.equal(runName('reduce', undefined), 'reduce')
    assert.equal(runName('first+second', undefined), 'first+second')
    assert.equal(runName('glätten', 'Übersicht.zarr/größe 1'), 'glatten-Ubersicht-gro-e-1')
  })

  it('is one word of at most 57 harmless characters, whatever the names contain', () => {
    assert.equal(runName('../..', '../../../etc/passwd'), 'run-passwd')
    assert.equal(runName('--help', '\x1b[2J\n.zarr/$(rm -rf ~)'), 'help-2J-rm-rf')
    assert.equal(runName('日本', '日本.zarr/東京'), 'run')
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.option(fc.string({ unit: 'binary' }), { nil: undefined }),
        (a, b) => {
          assert.match(runName(a, b), /^[A-Za-z0-9_][A-Za-z0-9_+-]{0,56}$/)
        },
      ),
    )
  })

  it('is that of one run if it ends in the same digits, whatever it begins with', () => {
    assert.ok(isSameRunName('smooth-1a2b3c4d', 'smooth-out-soft-1a2b3c4d'))
    assert.ok(!isSameRunName('smooth-1a2b3c4d', 'smooth-1a2b3c4e'))
    assert.ok(isSameRunName('nightly', 'nightly'))
    assert.ok(!isSameRunName('nightly', 'hourly'))
  })
})
