import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { OWN_MODULES, ownModule, PACKAGE_ROOT } from '../../src/runtime/package-place.ts'

describe('the place of the package', () => {
  it('is the folder of package.json, with the modules below it', () => {
    assert.ok(existsSync(new URL('package.json', PACKAGE_ROOT)))
    assert.ok(OWN_MODULES.startsWith(PACKAGE_ROOT))
    assert.ok(existsSync(new URL(ownModule('entry/workers/worker-process'))))
  })

  it('is asked for by every other module: a bundle has another address than its sources', () => {
    const root = fileURLToPath(new URL('src/', PACKAGE_ROOT))
    const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
    assert.ok(files.length > 300)
    const users = files.filter((name) => /import\.meta\.url\b/.test(readFileSync(join(root, name), 'utf8')))
    assert.deepEqual(users, [join('runtime', 'package-place.ts')])
  })
})
