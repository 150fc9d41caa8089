import assert from 'node:assert/strict'
import { join, sep } from 'node:path'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parsePath } from '../../../src/adapters/http/request-path.ts'

describe('the path of a request', () => {
  it('is split into names, which are decoded once', () => {
    assert.deepEqual(parsePath('/'), { names: [], isFolder: true })
    assert.deepEqual(parsePath('/a/b%20c/.zarray?x=/../y'), { names: ['a', 'b c', '.zarray'], isFolder: false })
    assert.deepEqual(parsePath('/a/b/'), { names: ['a', 'b'], isFolder: true })
  })

  it('is refused if it could mean anything but a place below the root', () => {
    for (const target of [
      ...[
        '',
        '*',
        'a',
        'http://host/a',
        '//a',
        '/a//b',
        '/..',
        '/.',
        '/a/../b',
        '/a/..',
        '/.../b',
        '/%2e%2e/a',
        '/.%2e/a',
      ],
      ...[
        '/a%2fb',
        '/a%5cb',
        '/a\\b',
        '/a%00',
        '/a%0a',
        '/a%7f',
        '/%',
        '/%zz',
        '/%c0%ae',
        '/%252e',
        '/C:/x',
        `/${'a'.repeat(3000)}`,
      ],
    ]) {
      assert.equal(parsePath(target), undefined, target)
    }
  })

  it('never leads out of the folder to which its names are appended', () => {
    const part = fc.oneof(
      fc.constantFrom('..', '.', '%2e', '%2F', '%5c', '\\', '/', '%', '%00', 'a', '%25', ':'),
      fc.string(),
    )
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
        const parsed = parsePath(`/${parts.join('')}`)
        if (parsed === undefined) return
        const { names } = parsed
        const path = join('/root/folder', ...names)
        assert.ok(path === '/root/folder' || path.startsWith(`/root/folder${sep}`), path)
        assert.equal(path.split(sep).length - 3, names.length)
      }),
      { numRuns: 2000 },
    )
  })
})
