import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { drawAtMost } from '../../../../src/viewer/dashboard/volumes/draw-at-most.ts'

const EVERY_MS = 5000

/** A display that has been looked at for a long time, with a clock of its own. */
function calmDisplay(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  let at = 0
  const drawn: number[] = []
  const display = { scheduleRedraw: Object.assign(() => void drawn.push(at), { flush() {}, cancel() {} }) }
  const moves = new EventTarget()
  const drawWaiting = drawAtMost(display, () => EVERY_MS, { moves, now: () => at })
  const pass = (ms: number) => {
    at += ms
    t.mock.timers.tick(ms)
  }
  pass(100_000)
  return { drawn, moves, drawWaiting, pass, request: () => display.scheduleRedraw() }
}

describe('drawing at most so often', () => {
  it('draws at once what comes after a pause, and all else together at the end of the interval', (t) => {
    const { drawn, pass, request } = calmDisplay(t)
    request()
    for (let i = 0; i < 4; i++) {
      pass(1000)
      request()
    }
    assert.deepEqual(drawn, [100_000])
    pass(1000)
    assert.deepEqual(drawn, [100_000, 105_000])
    pass(60_000)
    assert.equal(drawn.length, 2)
  })

  it('draws what waits as soon as all of it is there, and nothing if nothing waits', (t) => {
    const { drawn, pass, request, drawWaiting } = calmDisplay(t)
    request()
    pass(1000)
    drawWaiting()
    assert.deepEqual(drawn, [100_000])
    request()
    pass(500)
    drawWaiting()
    drawWaiting()
    assert.deepEqual(drawn, [100_000, 101_500])
    pass(60_000)
    assert.equal(drawn.length, 2)
  })

  it('draws at once what waits when the user moves, and for a while whatever comes', (t) => {
    const { drawn, moves, pass, request } = calmDisplay(t)
    request()
    pass(10)
    request()
    moves.dispatchEvent(new Event('wheel'))
    pass(10)
    request()
    assert.deepEqual(drawn, [100_000, 100_010, 100_020])
  })
})
