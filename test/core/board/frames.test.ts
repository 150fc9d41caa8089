import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type BlocksFrame, FrameWriter, readFrames, type TextFrame } from '../../../src/core/board/history-frames.ts'
import { RateSeries, RecentRate } from '../../../src/core/board/rate-series.ts'
import { applyStates, encodeStates, StateRuns } from '../../../src/core/board/state-runs.ts'

const whole = fc.nat({ max: 2 ** 53 - 1 })
const anyBlocks: fc.Arbitrary<BlocksFrame> = fc
  .record({
    kind: fc.constantFrom('leased', 'done', 'returned'),
    at: whole,
    task: fc.nat(100),
    worker: fc.nat(5000),
    blocks: fc.array(fc.tuple(fc.nat({ max: 2 ** 39 }), fc.nat(1e9))),
  })
  .map(({ blocks, ...frame }) => ({
    ...frame,
    indices: blocks.map(([index]) => index),
    ms: frame.kind === 'done' ? blocks.map(([, hundredths]) => hundredths / 100) : [],
  }))
const anyText: fc.Arbitrary<TextFrame> = fc.uint8Array({ maxLength: 300 }).map((bytes) => ({ kind: 'text', bytes }))

describe('the frames of a history', () => {
  it('are read as they were written, and an incomplete frame at the end is left for later', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(anyBlocks, anyText), { maxLength: 20 }), fc.nat(400), (frames, cut) => {
        const writer = new FrameWriter()
        for (const frame of frames) {
          if (frame.kind === 'text') writer.text(frame.bytes)
          else writer.blocks(frame)
        }
        const bytes = writer.take().slice()
        const read: (BlocksFrame | TextFrame)[] = []
        const take = (frame: BlocksFrame | TextFrame) => read.push(frame)
        const first = readFrames(bytes.subarray(0, Math.max(0, bytes.length - cut)), take)
        assert.equal(readFrames(bytes.subarray(first), take), bytes.length - first)
        assert.deepEqual(read, frames)
      }),
    )
  })

  it('distinguish a block that took almost no time from a skipped one', () => {
    const writer = new FrameWriter()
    writer.blocks({ kind: 'done', at: 0, task: 0, worker: 0, indices: [0, 1], ms: [0, 0.0001] })
    const ms: number[] = []
    readFrames(writer.take(), (frame) => frame.kind !== 'text' && ms.push(...frame.ms))
    assert.deepEqual(ms, [0, 0.01])
  })
})

const anyCodes = fc.uint8Array({ max: 6, maxLength: 200 })

describe('run-length encoded states', () => {
  it('are decoded to all states, or to only the changed ones', () => {
    fc.assert(
      fc.property(anyCodes, anyCodes, (before, other) => {
        const copy = new Uint8Array(before.length).fill(7)
        applyStates(copy, encodeStates(before))
        assert.deepEqual(copy, before)
        const after = before.map((code, index) => other[index] ?? code)
        const runs = new StateRuns()
        for (const [index, code] of after.entries()) if (code !== before[index]) runs.add(index, code)
        const changed: number[] = []
        applyStates(copy, runs.take(), (start, end) => {
          for (let index = start; index < end; index++) changed.push(index)
        })
        assert.deepEqual(copy, after)
        assert.deepEqual(
          changed,
          [...after.keys()].filter((index) => after[index] !== before[index]),
        )
      }),
    )
  })

  it('need only a few bytes for many blocks', () => {
    assert.ok(encodeStates(new Uint8Array(1_000_000).fill(3)).length < 10)
  })

  it('change nothing outside the blocks if they are too long or cut short', () => {
    const codes = new Uint8Array(4)
    const runs = new StateRuns()
    runs.add(2, 5)
    runs.add(3, 5)
    runs.add(4, 5)
    applyStates(codes, runs.take())
    assert.deepEqual([...codes], [0, 0, 5, 5])
    applyStates(codes, Uint8Array.of(0x80))
    applyStates(codes, Uint8Array.of(9, 8))
    assert.deepEqual([...codes], [0, 0, 5, 5])
  })
})

describe('rates', () => {
  it('over time count every block, however long the run is', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 5000 }), fc.nat(50))), (steps) => {
        const series = new RateSeries()
        let seconds = 0
        let count = 0
        for (const [wait, blocks] of steps) {
          seconds += wait
          count += blocks
          series.add(seconds, blocks)
        }
        // Until the end of the last step, so that it is complete.
        const end = (Math.floor(seconds / series.stepSeconds) + 1) * series.stepSeconds
        const sum = series.rates(end).reduce((all, rate) => all + rate * series.stepSeconds, 0)
        if (end / series.stepSeconds < 480) assert.ok(Math.abs(sum - count) < 1e-6 * (1 + count), `${sum} of ${count}`)
        assert.ok(series.rates(end).length <= 480)
      }),
    )
  })

  it('of the recent past are those of the last half minute', () => {
    const recent = new RecentRate(30)
    for (let second = 0; second < 100; second++) recent.add(second, second < 50 ? 10 : 2)
    assert.ok(Math.abs(recent.rate(100) - 2) < 0.1)
    assert.equal(recent.rate(1000), 0)
    recent.add(1000, 6)
    assert.ok(Math.abs(recent.rate(1003) - 0.2) < 0.01)
  })

  it('of the recent past are counted from the start of the work, without the wait before it', () => {
    const recent = new RecentRate(30)
    recent.begin(8)
    recent.begin(9)
    for (let second = 8; second < 12; second++) recent.add(second, 5)
    assert.ok(Math.abs(recent.rate(12) - 5) < 0.1, String(recent.rate(12)))
  })
})
