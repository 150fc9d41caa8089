import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { wordsAndGaps } from '../../src/core/shell-words.ts'
import { createArray } from '../../src/entry/arrays.ts'
import { columnsOf } from '../../src/entry/cli/terminal.ts'
import { bellis, runLine, temporaryFolder } from '../support/command-line.ts'
import { onTerminal } from '../support/terminal.ts'

/** Fails for its last block, until the folder has a file of this name. */
const FAILING = `import { existsSync } from 'node:fs'
import { defineTask, roi, z } from 'bellis'
export default defineTask({
  name: 'count-vesicles', config: z.object({ input: z.string(), minimumSize: z.number() }),
  async plan({ input }, { arrays }) {
    const raw = await arrays.open(input)
    const block = roi(raw.offset, [640, 128, 128])
    return { totalRoi: raw.roi, readRoi: block, writeRoi: block, fit: 'shrink', readWriteConflict: false }
  },
  setup: () => async ({ index }) => {
    if (index === 3 && !existsSync('mended')) throw new Error('none of the vesicles that were expected in this block was found')
  },
})`

const RAW = 'tissue of the second animal.zarr/volumes/raw'

describe('on a terminal of 60 or 80 columns', () => {
  const folder = temporaryFolder()
  const smooth = ['smooth', RAW, 'results.zarr/volumes/smoothed', '--sigma', '1,2,2', '--pool', 'inline']
  const count = [
    'run',
    'count-vesicles.ts',
    '--input',
    RAW,
    '--minimum-size',
    '3',
    '--max-retries',
    '0',
    '--workers',
    '1',
  ]

  before(async () => {
    const array = await createArray(join(folder.path, RAW), {
      ...{ shape: [16, 64, 64], chunkShape: [16, 32, 32], dtype: 'uint8', voxelSize: [40, 4, 4] },
    })
    await array.write(array.roi, new Uint8Array(16 * 64 * 64).fill(7))
    await array.close()
    // Beside it, so that the container has more than one.
    const beside = { shape: [16, 64, 64], chunkShape: [16, 32, 32], dtype: 'uint8', voxelSize: [40, 4, 4] } as const
    await (await createArray(join(folder.path, 'results.zarr/other'), beside)).close()
    writeFileSync(join(folder.path, 'count-vesicles.ts'), FAILING)
    assert.equal((await bellis(count, { cwd: folder.path })).code, 1)
    assert.equal((await bellis(smooth, { cwd: folder.path })).code, 0)
  })
  after(() => folder[Symbol.dispose]())

  /** What a command draws, in lines. None is broken within a word: each fits, or has one word only. */
  async function linesOf(t: TestContext, columns: number, ...args: string[]): Promise<string[] | undefined> {
    const shown = await onTerminal(t, args, folder.path, { columns })
    if (shown === undefined) return undefined
    const lines = stripVTControlCharacters(shown.drawn).split(/[\r\n]+/)
    const isOneWord = (line: string) => wordsAndGaps(line.replace(/ \\$/, '').trim()).length === 1
    for (const line of lines) assert.ok(columnsOf(line) < columns || isOneWord(line), `${args[0]}: ${line}`)
    return lines
  }

  for (const columns of [60, 80]) {
    it(`lists and describes runs and datasets without breaking a word, ${columns} columns`, async (t) => {
      for (const args of [
        ['runs'],
        ['status', 'count-'],
        ['status', 'smooth-results-smoothed'],
        ['info', 'results.zarr', RAW],
      ])
        await linesOf(t, columns, ...args)
    })

    it(`lists runs and datasets in tables, ${columns} columns`, async (t) => {
      const runs = await linesOf(t, columns, 'runs')
      if (runs === undefined) return
      assert.match(runs[0] ?? '', /^RUN +(ACTIVE +)?CONDITION/)
      const ended = runs.filter((line) => /^(smooth|count-vesicles)-\S+ +([\d :-]+ )?(done|failed|stopped)/.test(line))
      assert.ok(ended.length >= 2, runs.join('\n'))
      const info = (await linesOf(t, columns, 'info', 'results.zarr')) ?? []
      const header = info.findIndex((line) => /^DATASET +SHAPE +TYPE/.test(line))
      assert.equal(info[header - 1], 'results.zarr:')
      assert.match(info[header + 1] ?? '', /^other +16 × 64 × 64 +uint8/)
      assert.ok(
        info.some((line) => /^volumes\/smoothed +16 × 64 × 64 +uint8/.test(line)),
        info.join('\n'),
      )
    })

    it(`shows help without breaking a word, ${columns} columns`, async (t) => {
      for (const args of [
        ['--help'],
        ['smooth', '--help'],
        ['retry', '--help'],
        ['run', 'count-vesicles.ts', '--help'],
      ])
        await linesOf(t, columns, ...args)
    })

    it(`plans and reports runs without breaking a word, ${columns} columns`, async (t) => {
      const target = `results.zarr/volumes/again_${columns}`
      const again = [...smooth.slice(0, 2), target, ...smooth.slice(3)]
      const planned = await linesOf(t, columns, 'plan', ...again, '--pool', 'thread')
      if (planned === undefined) return
      assert.match(planned.join(' '), /nothing was +written\./)
      const reported = (await linesOf(t, columns, ...again)) ?? []
      assert.ok(reported.includes(`To see it: bellis show ${target}`), reported.join('\n'))
      assert.ok(reported.includes(`To describe it: bellis info ${target}`))
      await linesOf(t, columns, ...count)
    })
  }

  it('prints the command that continues a run so that it can be pasted', async (t) => {
    const lines = await linesOf(t, 60, 'status', 'count-')
    if (lines === undefined) return
    const command = lines.slice(lines.indexOf('To continue:') + 1).join('\n')
    assert.ok(command.includes(' \\\n'), command)
    writeFileSync(join(folder.path, 'mended'), '')
    const { code, stdout, stderr } = await runLine(command, { cwd: folder.path })
    assert.equal(code, 0, stderr)
    assert.match(stdout, /✔ count-vesicles: 4 of 4 blocks, 3 of them already done/)
  })
})
