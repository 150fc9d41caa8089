import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { messageAndPlace, placeOf } from '../../../src/runtime/tasks/error-place.ts'

const client = fileURLToPath(new URL('../../../clients/python/bellis.py', import.meta.url))

/** A traceback whose frames are in these files, the last one where the error was raised. */
const traceback = (...frames: readonly (readonly [file: string, line: number])[]) =>
  [
    'Traceback (most recent call last):',
    ...frames.flatMap(([file, line]) => [`  File "${file}", line ${line}, in count`, '    count(block)']),
    'LookupError: no cell',
  ].join('\n')

describe('the place of an error', () => {
  it('is the first frame of JavaScript that is neither of a package nor of Bellis', () => {
    const stack = `Error: no\n    at read (/me/node_modules/a/b.js:3:1)\n    at block (file:///me/task.ts:12:7)\n    at /me/x.ts:1:1`
    assert.equal(placeOf(stack), '/me/task.ts:12')
    assert.equal(messageAndPlace('no\nmore', stack), 'no (/me/task.ts:12)\nmore')
  })

  it('is the last frame of Python that is neither of a package, nor of Python, nor of Bellis', () => {
    const own = ['/me/cells.py', 6] as const
    const packages = [
      ['/env/lib/python3.12/site-packages/numpy/core.py', 70],
      ['/usr/lib/python3/dist-packages/zarr/a.py', 71],
      ['/usr/lib/python3.12/json/decoder.py', 72],
      [client, 73],
      ['<string>', 74],
    ] as const
    assert.equal(placeOf(traceback(['/me/main.py', 9], own, ...packages)), '/me/cells.py:6')
    assert.equal(placeOf(traceback(...packages)), undefined)
  })

  it('is that of the last error of Python, after those that led to it, and in groups', () => {
    const chained = `${traceback(['/me/a.py', 1])}\n\nDuring handling of the above exception, another exception occurred:\n\n${traceback(['/me/b.py', 2])}`
    assert.equal(placeOf(chained), '/me/b.py:2')
    const group = `  + Exception Group Traceback (most recent call last):
  |   File "/me/a.py", line 3, in <module>
  | ExceptionGroup: two failed (1 sub-exception)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/me/b.py", line 2, in read
    | ValueError: odd
    +------------------------------------`
    assert.equal(placeOf(group), '/me/b.py:2')
  })
})
