import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FailureStreak } from '../../../src/core/workers/failure-streak.ts'

const streakOf = (...messages: readonly string[]) => {
  const streak = new FailureStreak<{ readonly message: string }>()
  for (const message of messages) streak.add({ message })
  return streak
}

describe('a streak of failures', () => {
  it('counts errors that differ only in numbers as one kind, and names the first of the most frequent kind', () => {
    const streak = streakOf('no memory', 'block 1 is 0.5', 'block 27 is 3', 'disk', 'disk', 'block 3 is 1')
    assert.equal(streak.length, 6)
    assert.deepEqual(streak.mostCommon(), { count: 3, example: { message: 'block 1 is 0.5' } })
  })

  it('starts again after a success', () => {
    const streak = streakOf('a', 'a')
    streak.end()
    assert.equal(streak.length, 0)
    assert.equal(streak.mostCommon(), undefined)
    streak.add({ message: 'b' })
    assert.deepEqual([streak.length, streak.mostCommon()?.count], [1, 1])
  })

  it('stays small when every error is of its own kind', () => {
    const letters = (n: number) => n.toString(2).replaceAll('0', 'a').replaceAll('1', 'b')
    const streak = streakOf(...Array.from({ length: 100_000 }, (_, n) => letters(n)))
    assert.equal(streak.length, 100_000)
    assert.equal(streak.mostCommon()?.count, 1)
  })
})
