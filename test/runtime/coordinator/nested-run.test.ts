import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import { pathToFileURL } from 'node:url'
import { importTask } from '../../../src/runtime/worker/load-task.ts'
import { temporaryFolder } from '../../support/command-line.ts'

it('a module that starts a run when a worker imports it is refused, naming the module', async () => {
  using folder = temporaryFolder()
  const file = join(folder.path, 'both.ts')
  const library = new URL('../../../src/entry/index.ts', import.meta.url)
  writeFileSync(
    file,
    `import { runBlockwise, roi } from '${library}'
     const box = roi([0], [1])
     await runBlockwise({ id: 'a', totalRoi: box, readRoi: box, writeRoi: box, process: () => {} })`,
  )
  await assert.rejects(importTask(pathToFileURL(file).href, 'a'), (error: Error & { code?: string }) => {
    assert.equal(error.code, 'SETUP_FAILED')
    assert.match(error.message, /both\.ts starts a run when it is imported.*two files/)
    return true
  })
})
