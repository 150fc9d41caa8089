import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { startProgram } from '../../../src/adapters/processes/program.ts'
import { temporaryFolder } from '../../support/command-line.ts'

// A program that notes each lease, and does its blocks at once: `node program.mjs NOTES BATCHES [DIE_AT | -RETURN_FROM | "hang HANG_AT"]`
const PROGRAM = `import { appendFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
const [notes, batches, at] = process.argv.slice(2)
const send = (message) => process.stdout.write(JSON.stringify(message) + '\\n')
send({ type: 'join', protocol: 2, pid: process.pid, host: 'test', ...(batches === 'true' ? { batches: true } : {}) })
for await (const line of createInterface({ input: process.stdin })) {
  const { type, lease, blocks } = JSON.parse(line)
  if (type !== 'lease') continue
  appendFileSync(notes, blocks.join(',') + '\\n')
  const outcomes = []
  for (const index of blocks) {
    if (at === 'hang ' + index) {
      send({ type: 'outcomes', lease, outcomes })
      await new Promise(() => {})
    }
    if (at > 0 && index === Number(at)) {
      send({ type: 'outcomes', lease, outcomes })
      process.stderr.write('cannot\\n', () => process.exit(7))
      await new Promise(() => {})
    }
    outcomes.push(at < 0 && index >= -at ? { status: 'returned' } : { status: 'done', ms: 0.2 })
  }
  send({ type: 'outcomes', lease, outcomes })
}
`
const box = (index: number) => ({ offset: [index], shape: [1] })
const block = (index: number) => ({ index, rois: { read: box(index), write: box(index) } })
const blocksFrom = (index: number, end: number) =>
  Array.from({ length: Math.max(0, end - index) }, (_, n) => block(index + n))

function open(batches: boolean, at: number | string = 0) {
  const folder = temporaryFolder()
  const [script, notes] = [join(folder.path, 'program.mjs'), join(folder.path, 'notes')]
  writeFileSync(script, PROGRAM)
  const command = [process.execPath, script, notes, String(batches), String(at)]
  const program = startProgram({ command, task: { id: 't' }, workerId: 'w1' })
  const leases = () =>
    readFileSync(notes, 'utf8')
      .trim()
      .split('\n')
      .map((line) => line.split(',').map(Number))
  const end = () => {
    program.end()
    folder[Symbol.dispose]()
  }
  return { program, leases, [Symbol.dispose]: end }
}

describe('a program that does blocks', () => {
  const { signal } = new AbortController()

  it('gets short blocks together, once it has shown that they are short', async () => {
    using opened = open(true)
    const { program, leases } = opened
    await program.ready
    for (let index = 0; index < 200; index++) {
      const outcome = await program.doBlock(block(index), signal, () => blocksFrom(index + 1, 200))
      assert.equal(outcome.status, 'done')
    }
    const sizes = leases().map(({ length }) => length)
    assert.equal(sizes[0], 1)
    assert.ok(Math.max(...sizes) > 10, String(sizes))
    assert.deepEqual(
      leases().flat(),
      Array.from({ length: 200 }, (_, index) => index),
    )
    assert.equal(program.has(), false)
  })

  it('gets one block at a time unless it asks for more', async () => {
    using opened = open(false)
    for (let index = 0; index < 20; index++) {
      await opened.program.doBlock(block(index), signal, () => blocksFrom(index + 1, 20))
    }
    assert.deepEqual(new Set(opened.leases().map(({ length }) => length)), new Set([1]))
  })

  it('fails only the block that it was doing when it died, however many it had', async () => {
    using opened = open(true, 25)
    const { program } = opened
    const failed: number[] = []
    for (let index = 0; index < 60 && !program.isOver; index++) {
      await program
        .doBlock(block(index), signal, () => blocksFrom(index + 1, 60))
        .catch(({ code }) => {
          assert.equal(code, 'WORKER_DIED')
          failed.push(index)
        })
    }
    assert.deepEqual(failed, [25])
    assert.equal(program.has(), false)
  })

  it('may return the rest of what it was given, and is over then', async () => {
    using opened = open(true, -30)
    const { program } = opened
    const statuses: string[] = []
    for (let index = 0; index < 60; index++) {
      if (program.isOver && !program.has(index)) break
      statuses.push((await program.doBlock(block(index), signal, () => blocksFrom(index + 1, 60))).status)
    }
    assert.deepEqual(
      statuses.slice(0, 30),
      Array.from({ length: 30 }, () => 'done'),
    )
    assert.ok(
      statuses.slice(30).every((status) => status === 'returned'),
      statuses.join(),
    )
    assert.equal(program.isOver, true)
  })

  it('is killed with all that it was given when the lease is taken away', async () => {
    using opened = open(true, 'hang 30')
    const { program } = opened
    const taken = new AbortController()
    for (let index = 0; index < 30; index++) {
      await program.doBlock(block(index), taken.signal, () => blocksFrom(index + 1, 100))
    }
    // Between two blocks, nobody waits for one.
    assert.equal(program.has(31), true)
    taken.abort()
    assert.equal(program.isOver, true)
    assert.equal(program.has(), false)
  })
})
