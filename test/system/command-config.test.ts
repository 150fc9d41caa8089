import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createArray } from '../../src/entry/index.ts'
import { bellis, temporaryFolder } from '../support/command-line.ts'

const folder = temporaryFolder()
after(() => folder[Symbol.dispose]())
before(async () => {
  const shape = [8, 8, 8]
  await using array = await createArray(join(folder.path, 'in.zarr/raw'), {
    shape,
    dtype: 'uint8',
    voxelSize: [1, 1, 1],
  })
  await array.write(array.roi, new Uint8Array(8 ** 3))
})

interface Field {
  /** The command and its arguments. */
  readonly words: readonly string[]
  readonly name: string
  readonly flag: string
  readonly variable: string
  readonly right: string
  /** A value that the schema refuses, as JSON and as text. */
  readonly wrong: string | number
}

const TO = ['in.zarr/raw', 'out.zarr/a']
/** A field of every command that runs a built-in task. */
const FIELDS: readonly Field[] = [
  {
    words: ['convert', ...TO],
    name: 'zarrFormat',
    flag: '--zarr-format',
    variable: 'BELLIS_CONFIG_ZARR_FORMAT',
    right: '2',
    wrong: 4,
  },
  { words: ['smooth', ...TO], name: 'sigma', flag: '--sigma', variable: 'BELLIS_CONFIG_SIGMA', right: '1', wrong: -1 },
  {
    words: ['downsample', 'in.zarr/raw'],
    name: 'method',
    flag: '--method',
    variable: 'BELLIS_CONFIG_METHOD',
    right: 'mode',
    wrong: 'median',
  },
  {
    words: ['label', ...TO],
    name: 'connectivity',
    flag: '--connectivity',
    variable: 'BELLIS_CONFIG_CONNECTIVITY',
    right: '3',
    wrong: 0,
  },
  { words: ['map', ...TO], name: 'expr', flag: '--expr', variable: 'BELLIS_CONFIG_EXPR', right: 'x > 2', wrong: 'x >' },
  {
    words: ['threshold', ...TO],
    name: 'above',
    flag: '--above',
    variable: 'BELLIS_CONFIG_ABOVE',
    right: '7.5',
    wrong: 'low',
  },
  {
    words: ['reduce', 'in.zarr/raw'],
    name: 'bins',
    flag: '--bins',
    variable: 'BELLIS_CONFIG_BINS',
    right: '4',
    wrong: 0,
  },
]

/** Plans a command in the folder. @returns its exit code and its errors */
async function plan(words: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { code, stderr } = await bellis([...words, '--dry-run'], { cwd: folder.path, env })
  return { code, stderr }
}

describe('a built-in command', () => {
  for (const { words, name, flag, variable, right, wrong } of FIELDS) {
    it(`${words[0]} takes ${name} from its flag, otherwise from the environment, otherwise from the --config file, and names the invalid source`, async () => {
      const file = `${words[0]}.json`
      const withFile = [...words, '--config', file]
      writeFileSync(join(folder.path, file), JSON.stringify({ [name]: wrong }))
      const fromFile = await plan(withFile)
      assert.equal(fromFile.code, 2)
      assert.ok(fromFile.stderr.includes(`"${name}" of ${file} ${JSON.stringify(wrong)}: `), fromFile.stderr)
      const fromEnvironment = await plan(withFile, { [variable]: String(wrong) })
      assert.equal(fromEnvironment.code, 2)
      const said = fromEnvironment.stderr.replaceAll('"', '')
      assert.ok(said.includes(`${variable} ${wrong}: `), said)
      assert.deepEqual(await plan(withFile, { [variable]: right }), { code: 0, stderr: '' })
      assert.deepEqual(await plan([...withFile, flag, right], { [variable]: String(wrong) }), { code: 0, stderr: '' })
      writeFileSync(join(folder.path, file), JSON.stringify({ [`${name}s`]: right }))
      const misspelt = await plan(withFile)
      assert.ok(misspelt.stderr.includes(`there is no "${name}s" of ${file}; the fields are `), misspelt.stderr)
    })

    it(`${words[0]} warns about an environment variable that matches no field`, async () => {
      const { stderr } = await plan([...words, flag, right], { [`${variable}S`]: right })
      assert.match(stderr, new RegExp(`${variable}S is set, but "${words[0]}" has no such field`))
    })
  }
})
