import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { BatchFolder } from '../../../src/adapters/batch/batch-folder.ts'
import { openLog } from '../../../src/adapters/files/open-file.ts'
import { temporaryFolder } from '../../support/command-line.ts'

const REFUSED = { code: 'INVALID_CONFIG', message: /expected a folder of your own, since jobs run the script in it/ }

describe('the script of jobs', () => {
  it('is written where nobody else can replace it', () => {
    using at = temporaryFolder()
    const folder = new BatchFolder(at.path, 'slurm')
    folder.writeScript(() => 'true\n')
    assert.equal(readFileSync(folder.script, 'utf8'), 'true\n')
    assert.equal(statSync(join(at.path, 'slurm')).mode & 0o777, 0o700)
  })

  it('is not written into a folder that others can write, or through a link', () => {
    using at = temporaryFolder()
    mkdirSync(join(at.path, 'sge'))
    chmodSync(join(at.path, 'sge'), 0o777)
    assert.throws(() => new BatchFolder(at.path, 'sge').writeScript(() => ''), REFUSED)
    mkdirSync(join(at.path, 'elsewhere'), { mode: 0o700 })
    symlinkSync('elsewhere', join(at.path, 'pbs'))
    assert.throws(() => new BatchFolder(at.path, 'pbs').writeScript(() => ''), REFUSED)
    assert.deepEqual(readdirSync(join(at.path, 'elsewhere')), [])
  })
})

describe('the log of a worker', () => {
  it('is appended to, and its folder made', () => {
    using at = temporaryFolder()
    const path = join(at.path, 'logs', 'w1.log')
    for (const text of ['a', 'b']) writeFileSync(openLog(path), text)
    assert.equal(readFileSync(path, 'utf8'), 'ab')
  })

  it('is no link to another file, and lies in no linked folder', () => {
    using at = temporaryFolder()
    mkdirSync(join(at.path, 'logs'))
    writeFileSync(join(at.path, 'mine'), '')
    for (const target of ['../mine', '../missing']) {
      rmSync(join(at.path, 'logs', 'w1.log'), { force: true })
      symlinkSync(target, join(at.path, 'logs', 'w1.log'))
      assert.throws(() => openLog(join(at.path, 'logs', 'w1.log')), { code: 'UNSUPPORTED', message: /expected a log/ })
    }
    symlinkSync('logs', join(at.path, 'linked'))
    assert.throws(() => openLog(join(at.path, 'linked', 'w2.log')), { code: 'UNSUPPORTED' })
    assert.deepEqual(readdirSync(at.path).sort(), ['linked', 'logs', 'mine'])
  })
})
