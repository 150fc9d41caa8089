import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { growthIn } from './growth.ts'
import { playLongRun } from './long-run.ts'

const MIB = 2 ** 20
/** @param sizes pairs of MiB and handles */
const stages = (...sizes: readonly [number, number][]) =>
  sizes.map(([mib, handles]) => ({ memoryBytes: mib * MIB, handles }))

describe('the bounds of a long run', () => {
  it('hold for a coordinator whose memory is collected late, and which has one worker more for a moment', () => {
    assert.equal(growthIn('it', stages([108, 33], [124, 33], [129, 36], [157, 33], [160, 33])), undefined)
    assert.equal(growthIn('it', []), undefined)
  })

  it('are broken by memory that grows with each block, by handles that stay, and by a coordinator that is too large', () => {
    // 250 bytes of each of half a million blocks.
    assert.match(
      growthIn('it', stages([108, 33], [170, 33], [228, 33])) ?? '',
      /^it grew from 108 MiB, 33 handles to 228 MiB/,
    )
    assert.match(growthIn('it', stages([108, 33], [110, 41], [110, 50])) ?? '', /at most 16 more handles/)
    assert.match(growthIn('it', stages([300, 33], [330, 33])) ?? '', /320 MiB/)
  })

  it('hold for a run of some thousand blocks whose workers are killed', async () => {
    const { stages: played, complaint } = await playLongRun(8000)
    assert.equal(complaint, undefined)
    assert.ok(process.platform !== 'linux' || played.length > 0)
  })
})
