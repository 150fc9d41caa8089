import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  errnoOf,
  explainMissing,
  isConnectionLost,
  isMissingFile,
  systemFailure,
  systemReason,
  wrongPath,
} from '../../src/core/system-errors.ts'

const systemError = (code: string) => Object.assign(new Error(`${code}: something failed`), { code })

describe('system errors', () => {
  it('are translated to an error code, a reason and a remedy', () => {
    assert.equal(systemFailure(systemError('ENOSPC'))?.code, 'DISK_FULL')
    assert.equal(systemFailure(systemError('EDQUOT'))?.reason, 'the disk quota is used up')
    assert.equal(systemFailure(systemError('EROFS'))?.code, 'READ_ONLY')
    assert.deepEqual(systemFailure(systemError('EACCES')), systemFailure(systemError('EPERM')))
  })

  it('are not translated if they are neither about space nor about permission, or no system errors', () => {
    for (const error of [systemError('EIO'), systemError('toString'), new Error('x'), undefined, 'ENOSPC']) {
      assert.equal(systemFailure(error), undefined)
    }
    assert.equal(errnoOf({ code: 5 }), undefined)
  })

  it('show whether the server of a file can not be reached, also by numbers that Node has no names for', () => {
    for (const code of ['ENOTCONN', 'ESTALE', 'Unknown system error -77']) {
      assert.ok(isConnectionLost(systemError(code)))
      assert.equal(systemReason(systemError(code)), `the connection to the file system was lost (${code})`)
    }
    assert.equal(isConnectionLost(new Error('x')), false)
    assert.equal(systemReason(systemError('EIO')), 'EIO: something failed')
  })

  it('say what is wrong with a path, and what to do', () => {
    const cases = [
      [{ code: 'ENOENT', syscall: 'open' }, 'there is no such file or folder (ENOENT)', 'check the path'],
      [{ code: 'ENOENT', syscall: 'mkdir' }, 'no folder can be created there (ENOENT)', 'choose another place'],
      [{ code: 'ENOTDIR' }, 'a part of its path is a file, not a folder (ENOTDIR)', 'choose another place'],
    ] as const
    for (const [error, reason, remedy] of cases) {
      assert.deepEqual(wrongPath(error), { reason, remedy })
      assert.equal(systemReason(error), reason)
    }
    for (const error of [systemError('EIO'), systemError('toString'), new Error('x'), undefined]) {
      assert.equal(wrongPath(error), undefined)
    }
  })

  it('say which file or program a function misses', () => {
    const relative = 'relative paths start in the folder where the run was started'
    const cases = [
      [
        "ENOENT: no such file or directory, open 'model.pt'\nmore",
        `there is no file or folder model.pt (ENOENT, open); ${relative}\nmore`,
      ],
      ["ENOENT: no such file or directory, stat '/a b'", 'there is no file or folder /a b (ENOENT, stat)'],
      ['spawn python9 ENOENT', 'there is no program python9 on the PATH (ENOENT); install it, or give its path'],
      ['spawn ./x.py ENOENT', `there is no program ./x.py, or its interpreter is missing (ENOENT); ${relative}`],
      ['spawn ./x.py EACCES', './x.py is not executable (EACCES); check its mode, or name its interpreter first'],
    ] as const
    for (const [message, said] of cases) assert.equal(explainMissing(message), said)
    for (const message of ['it broke', 'ENOENT', 'no such file or directory']) {
      assert.equal(explainMissing(message), message)
    }
  })

  it('show whether a file is missing', () => {
    assert.deepEqual(['ENOENT', 'ENOTDIR', 'EISDIR', 'EACCES'].map(systemError).map(isMissingFile), [
      true,
      true,
      true,
      false,
    ])
  })
})
