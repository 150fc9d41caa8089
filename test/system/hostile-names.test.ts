import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { bellis, temporaryFolder } from '../support/command-line.ts'
import { onTerminal } from '../support/terminal.ts'

/** Sets the title of a terminal, clears it, moves up by the one-byte form, reverses the text, and starts a line of its own. */
const EVIL = '\u001b]0;owned\u0007\u001b[2J\u009b1A\u202egpj\u2066\u007f\rbellis: all is well'

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/
/** Colours, and the bars of progress. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are our own
const OURS = /\u001b\[\d*(;\d+)*m|\r?\u001b\[\d+A|\r?\u001b\[0?[JK]|\r\n/g

function makeHostile(folder: string): void {
  const group = join(folder, 'a.zarr')
  const name = `x${EVIL}`
  const zarray = {
    ...{ zarr_format: 2, shape: [4, 4, 4], chunks: [4, 4, 4], dtype: '|u1', order: 'C', fill_value: 0 },
    ...{ compressor: null, filters: null },
  }
  const write = (path: string, value: unknown) => {
    mkdirSync(join(group, path, '..'), { recursive: true })
    writeFileSync(join(group, path), JSON.stringify(value))
  }
  write('.zgroup', { zarr_format: 2 })
  write(`${name}/.zarray`, zarray)
  write(`${name}/.zattrs`, {
    ...{
      axis_names: [`z${EVIL}\n`, 'y', 'x'],
      units: [EVIL, 'nm', 'nm'],
      voxel_size: [1, 1, 1],
      note: `${EVIL}\nbellis: ok`,
    },
  })
  write('plain/.zarray', zarray)
  write('plain/.zattrs', { axis_names: [`z${EVIL}\nbellis: ok`, 'y', 'x'], voxel_size: [4, 4, 4] })
  write('codec/.zarray', { ...zarray, compressor: { id: `${EVIL}\nbellis: ok` } })
  write('dtype/.zarray', { ...zarray, dtype: EVIL })
  writeFileSync(join(folder, `task${EVIL}.ts`), 'this is no task')
  writeFileSync(
    join(folder, 'fails.mjs'),
    `import { defineTask, z } from 'bellis'
export default defineTask({
  name: 'fails',
  config: z.object({ input: z.string() }),
  async plan({ input }, { arrays }) {
    const { roi, voxelSize } = await arrays.open(input)
    return { total: roi, read: { offset: roi.offset.map(() => 0), shape: voxelSize.map((size) => 2 * size) }, write: { offset: roi.offset.map(() => 0), shape: voxelSize.map((size) => 2 * size) } }
  },
  setup: () => () => { console.error(${JSON.stringify(EVIL)}); throw new Error(${JSON.stringify(`${EVIL}\nbellis: ok`)}) },
})
`,
  )
}

describe('names and messages that try to change the terminal', () => {
  it('reach it without control characters, whatever command prints them', async () => {
    using folder = temporaryFolder()
    makeHostile(folder.path)
    const commands = [
      ...[
        ['info', 'a.zarr'],
        ['info', 'a.zarr', '--json'],
        ['info', 'a.zarr/plain'],
        ['info', 'a.zarr/codec'],
      ],
      ...[
        ['info', 'a.zarr/dtype'],
        ['info', `a.zarr/x${EVIL}`],
        ['info', `gone${EVIL}.zarr/a`],
        ['info', EVIL],
      ],
      ...[
        ['convert', `a.zarr/x${EVIL}`, 'out.zarr/x'],
        ['convert', 'a.zarr/plain', `out.zarr/y${EVIL}`],
      ],
      ...[
        ['plan', 'smooth', 'a.zarr/plain', `out.zarr/${EVIL}`, '--sigma', '1'],
        ['run', `task${EVIL}.ts`],
      ],
      ...[
        ['convert', 'a.zarr/plain', 'out.zarr/z', '--codec', EVIL],
        ['smooth', 'a.zarr/plain', 'out.zarr/s', `--${EVIL}`],
      ],
      ...[['convert', 'a.zarr/plain', 'out.zarr/named', '--name', `n${EVIL}`], [EVIL], ['help', EVIL]],
      ...[
        ['runs'],
        ['runs', '--json'],
        ['status', EVIL],
        ['status', 'last'],
        ['reset', 'last'],
        ['worker', EVIL],
        ['doctor', EVIL],
      ],
    ]
    for (const args of commands) {
      const { stdout, stderr } = await bellis(args, { cwd: folder.path })
      const printed = stdout + stderr
      assert.ok(printed !== '', args.join(' '))
      assert.doesNotMatch(printed, CONTROLS, JSON.stringify([args, printed]))
      assert.doesNotMatch(printed, /^bellis: (all is well|ok)/m, JSON.stringify([args, printed]))
    }
  })

  it('are shown on a terminal among colours and bars', async (t) => {
    using folder = temporaryFolder()
    makeHostile(folder.path)
    for (const args of [
      ['info', 'a.zarr'],
      ['convert', 'a.zarr/plain', 'out.zarr/raw', '--pool', 'inline'],
      ['run', 'fails.mjs', '--input', 'a.zarr/plain', '--pool', 'inline', '--retries', '1'],
      ['runs'],
    ]) {
      const shown = await onTerminal(t, args, folder.path)
      if (shown === undefined) return
      const others = shown.drawn.replaceAll(OURS, '')
      assert.doesNotMatch(others, CONTROLS, JSON.stringify([args, shown.drawn]))
    }
  })
})
