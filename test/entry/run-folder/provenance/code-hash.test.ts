import assert from 'node:assert/strict'
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { pathToFileURL } from 'node:url'
import { codeOf } from '../../../../src/entry/run-folder/provenance/code-hash.ts'
import { smooth } from '../../../../src/entry/tasks.ts'
import { temporaryFolder } from '../../../support/command-line.ts'

const FILES = {
  'task.ts': "import { a } from './lib/a.ts'\nimport type { z } from 'zod'\nexport * from \"./b.js\"\n",
  'lib/a.ts': "export const a = async () => import('../c.mjs')\n",
  'b.js': "import './d.js'\nconst { e } = require('./e')\n",
  'c.mjs': "export const program = new URL('program.py', import.meta.url)\n",
  'd.js': "import '../task.ts'\nimport './lib/a.ts'\n",
  'e.js': "module.exports = require('./f.json')\n",
  'f.json': '{}',
  'program.py': 'print(1)\n',
  'unused.ts': 'export const unused = 1\n',
}

function project(files: Readonly<Record<string, string>> = FILES) {
  const folder = temporaryFolder()
  const write = (name: string, text: string) => {
    mkdirSync(dirname(join(folder.path, name)), { recursive: true })
    writeFileSync(join(folder.path, name), text)
  }
  for (const [name, text] of Object.entries(files)) write(name, text)
  return { ...folder, write, code: (name = 'task.ts') => codeOf(pathToFileURL(join(folder.path, name)).href) }
}

describe('the code of a task', () => {
  it('is its module and everything that it imports by relative paths, in TypeScript and JavaScript', () => {
    using at = project()
    const { hash, files } = at.code() ?? {}
    assert.equal(files, 8)
    assert.match(hash ?? '', /^[0-9a-f]{64}$/)
    for (const name of Object.keys(FILES).filter((each) => each !== 'unused.ts')) {
      const before = readFileSync(join(at.path, name), 'utf8')
      at.write(name, `${before} `)
      assert.notEqual(at.code()?.hash, hash, name)
      at.write(name, before)
      assert.equal(at.code()?.hash, hash)
    }
    at.write('unused.ts', '')
    assert.equal(at.code()?.hash, hash, 'a file that is not imported is no part of it')
  })

  it('is the same in another folder, and through links', () => {
    using at = project()
    using other = temporaryFolder()
    cpSync(at.path, join(other.path, 'copy'), { recursive: true })
    symlinkSync(join(at.path, 'task.ts'), join(other.path, 'link.ts'))
    const of = (name: string) => codeOf(pathToFileURL(join(other.path, name)).href)
    assert.deepEqual([of('copy/task.ts'), of('link.ts')], [at.code(), at.code()])
  })

  it('is the version of Bellis for its own tasks, and unknown without a file', () => {
    const { version } = JSON.parse(readFileSync(new URL('../../../../package.json', import.meta.url), 'utf8'))
    assert.equal(codeOf(smooth.module)?.hash, `bellis ${version}`)
    assert.equal(codeOf('data:text/javascript,export default 1'), undefined)
    assert.equal(codeOf('node:internal/main'), undefined)
  })

  it('is there without files that are missing or can not be read', () => {
    using at = project({ 'task.ts': "import './gone.ts'\nimport './folder'\n" })
    mkdirSync(join(at.path, 'folder'))
    assert.equal(at.code()?.files, 1)
    rmSync(join(at.path, 'task.ts'))
    assert.equal(at.code()?.files, 1)
  })
})
