import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { shortenLog, WorkerLog } from '../../../../src/adapters/files/logs/worker-log.ts'
import { leftOutOf, logShift } from '../../../../src/core/text/log-start.ts'
import { temporaryFolder } from '../../../support/zarr.ts'

describe('a log with a largest size', () => {
  it('keeps its last lines, and counts every byte and line that it leaves out', () => {
    const line = fc.string({ unit: 'binary', maxLength: 40 }).map((text) => `${text.replaceAll('\n', ' ')}\n`)
    fc.assert(
      fc.property(
        fc.array(line, { minLength: 1, maxLength: 12 }),
        fc.nat(200),
        fc.nat(3),
        fc.string(),
        (lines, kept, times, end) => {
          const printed: Buffer[] = []
          let log: Buffer = Buffer.alloc(0)
          const print = (text: string) => {
            printed.push(Buffer.from(text))
            log = Buffer.concat([log, Buffer.from(text)])
          }
          for (let time = 0; time <= times; time++) {
            print(lines.join(''))
            if (time === times) print(end)
            log = shortenLog(log, kept)
          }
          const all = Buffer.concat(printed)
          const { bytes, lines: left, lineLength } = leftOutOf(log.toString('latin1'))
          assert.ok(log.length - lineLength <= kept)
          assert.ok(log.subarray(lineLength).equals(all.subarray(bytes)))
          assert.equal(left, all.subarray(0, bytes).filter((byte) => byte === 10).length)
          assert.equal(logShift(log.toString('latin1')) + log.length, all.length)
        },
      ),
    )
  })

  it('starts with a whole line wherever that is possible', () => {
    const text = Buffer.from('one\ntwo\nthree\n')
    const kept = (bytes: number) => shortenLog(text, bytes).toString().split('\n').slice(1).join('\n')
    assert.deepEqual([6, 9, 10, 13].map(kept), ['three\n', 'three\n', 'two\nthree\n', 'two\nthree\n'])
    assert.equal(kept(3), 'ee\n')
    assert.ok(shortenLog(text, 14).equals(text))
  })

  it('is shortened as it grows, also by later starts, and says where the output of a worker starts', async (t) => {
    const folder = await temporaryFolder(t)
    const path = join(folder, 'logs', 'w1.log')
    const lines = Array.from({ length: 100 }, (_, number) => `line ${number}\n`)
    for (const part of [lines.slice(0, 50), lines.slice(50)]) {
      using log = new WorkerLog(path, 400)
      const start = log.end
      assert.equal(readFileSync(path).length, log.placeOf(start))
      for (const line of part) {
        log.write(Buffer.from(line))
        assert.ok(statSync(path).size <= 400)
      }
      assert.equal(log.placeOf(start), leftOutOf(readFileSync(path, 'latin1')).lineLength)
      assert.equal(log.end, lines.slice(0, part[0] === lines[0] ? 50 : 100).join('').length)
    }
    const text = readFileSync(path, 'utf8')
    const { bytes, lines: left } = leftOutOf(text)
    assert.equal(lines.join('').slice(bytes), text.split('\n').slice(1).join('\n'))
    assert.equal(text.split('\n')[1], `line ${left}`)
    assert.deepEqual(readdirSync(join(folder, 'logs')), ['w1.log'])
  })

  it('says how much could not be written', { skip: process.platform === 'win32' }, async (t) => {
    const folder = await temporaryFolder(t)
    const source = new URL('../../../../src/adapters/files/logs/worker-log.ts', import.meta.url).href
    const script = `
      const { truncateSync } = await import('node:fs')
      const { WorkerLog } = await import(${JSON.stringify(source)})
      using log = new WorkerLog('w.log')
      for (let i = 0; i < 3; i++) log.write(Buffer.alloc(1024, 'x'))
      truncateSync('w.log', 0)
      log.write(Buffer.from('again\\n'))`
    // Files may have 2 KiB.
    const call = 'ulimit -f 2 && exec "$0" --input-type=module -e "$1"'
    const { stderr, status } = spawnSync('bash', ['-c', call, process.execPath, script], { cwd: folder })
    assert.equal(status, 0, String(stderr))
    assert.match(
      readFileSync(join(folder, 'w.log'), 'utf8'),
      /^\n\[bellis\] 1024 bytes could not be written here: EFBIG: .*\nagain\n$/,
    )
  })
})
