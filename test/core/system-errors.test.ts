import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { errnoOf, isConnectionLost, isMissingFile, systemFailure, systemReason } from '../../src/core/system-errors.ts'

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

  it('show whether a file is missing', () => {
    assert.deepEqual(['ENOENT', 'ENOTDIR', 'EISDIR', 'EACCES'].map(systemError).map(isMissingFile), [
      true,
      true,
      true,
      false,
    ])
  })
})
