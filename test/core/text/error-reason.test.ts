import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { reasonFirst, reasonInOutput, reasonOf, withLastOutput } from '../../../src/core/text/error-reason.ts'

const PYTHON = `Traceback (most recent call last):
  File "/home/me/cells.py", line 7, in <module>
    load(path)
    ~~~~^^^^^^
FileNotFoundError: [Errno 2] No such file: 'model.pt'`

const CHAINED = `${PYTHON}

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/home/me/cells.py", line 9, in <module>
    raise RuntimeError("no model\\nlook in models/")
RuntimeError: no model
look in models/`

const GROUP = `  + Exception Group Traceback (most recent call last):
  |   File "a.py", line 3, in <module>
  | ExceptionGroup: two failed (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "a.py", line 2, in read
    | ValueError: odd
    +------------------------------------`

const NODE = `/home/me/cells.mjs:3
  throw new TypeError('no model')
  ^

TypeError: no model
    at load (/home/me/cells.mjs:3:9)
    at Module._compile (node:internal/modules/cjs/loader:1554:14)

Node.js v24.11.1`

describe('the reason of an error', () => {
  it('is the first line of a message, also of one with several lines', () => {
    assert.equal(
      reasonOf('RuntimeError: CUDA error: out of memory\nFor debugging consider …'),
      'RuntimeError: CUDA error: out of memory',
    )
    assert.equal(reasonOf('\n  no model\nlook in models/'), 'no model')
    assert.equal(reasonOf(''), '')
  })

  it('is the last line of what a program printed', () => {
    assert.equal(reasonInOutput('reading\nno model\n\n'), 'no model')
    assert.equal(
      reasonInOutput("'no model'\n(Use `node --trace-uncaught ...` to show where)\n\nNode.js v24.11.1"),
      "'no model'",
    )
    assert.equal(reasonInOutput(''), '')
  })

  for (const [name, text, reason] of [
    ['the last line of a trace of Python', PYTHON, "FileNotFoundError: [Errno 2] No such file: 'model.pt'"],
    ['the first line of the last message of Python', CHAINED, 'RuntimeError: no model'],
    ['the innermost error of a group', GROUP, 'ValueError: odd'],
    ['above the frames of JavaScript', NODE, 'TypeError: no model'],
    [
      'above the frames of an error with a code',
      'Error [ERR_X]: gone\nsecond\n    at a (b.js:1:2)',
      'Error [ERR_X]: gone',
    ],
    [
      'above the frames of Java',
      'Exception in thread "main" java.io.IOException: gone\n\tat A.b(A.java:3)',
      'Exception in thread "main" java.io.IOException: gone',
    ],
  ] as const) {
    it(`is ${name}, in a message and in an output`, () => {
      assert.equal(reasonOf(text), reason)
      assert.equal(reasonInOutput(text), reason)
    })
  }

  it('is found in a trace that another error quotes', () => {
    assert.equal(reasonOf(`RuntimeError: ${PYTHON}`), reasonOf(PYTHON))
  })

  it('comes first, and then the message without it, or all of it if the reason was within', () => {
    assert.deepEqual(reasonFirst('no model\nlook'), ['no model', 'look'])
    assert.deepEqual(reasonFirst(PYTHON), [reasonOf(PYTHON), ...PYTHON.split('\n')])
  })

  it('is put in front of what a worker printed last', () => {
    assert.equal(withLastOutput('Worker w1 died', ''), 'Worker w1 died')
    assert.equal(withLastOutput('Worker w1 died', 'no model'), 'Worker w1 died: no model')
    assert.equal(
      withLastOutput('Worker w1 died', NODE),
      `Worker w1 died: TypeError: no model\nIts last output:\n${NODE}`,
    )
  })
})
