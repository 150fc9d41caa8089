import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { Command } from 'commander'
import { z } from 'zod'
import { numberOrList } from '../../../src/entry/cli/option-values.ts'
import { runOptions } from '../../../src/entry/cli/options.ts'
import { builtInConfig } from '../../../src/entry/cli/tasks/config/built-in-config.ts'
import {
  addConfigOptions,
  configFields,
  givenConfig,
  strayVariables,
} from '../../../src/entry/cli/tasks/config/config-flags.ts'
import { smooth } from '../../../src/entry/tasks.ts'
import { parseConfig } from '../../../src/runtime/tasks/task-config.ts'

const folder = mkdtempSync(join(tmpdir(), 'bellis-flags-'))
after(() => rmSync(folder, { recursive: true, force: true }))

function file(content: unknown): string {
  const path = join(folder, 'config.json')
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

/** The values of a schema's fields from a command line, an environment and a file. */
function read(
  shape: z.ZodRawShape,
  words: readonly string[],
  { env = {}, config }: { env?: NodeJS.ProcessEnv; config?: string } = {},
) {
  const schema = z.object(shape)
  const fields = configFields(schema, runOptions(new Command()), 'task')
  const command = new Command().exitOverride().configureOutput({ writeErr: () => {} })
  addConfigOptions(command, fields)
  runOptions(command).parse(words, { from: 'user' })
  return { ...givenConfig(fields, command, config, env), help: command.helpInformation(), fields, command }
}

const valuesOf = (shape: z.ZodRawShape, ...words: string[]) => read(shape, words).values

describe('a field of a configuration', () => {
  it('is a flag in kebab case, and also under its own name', () => {
    const shape = { blockShape: z.string(), zarr_format: z.number() }
    assert.deepEqual(valuesOf(shape, '--block-shape', 'a', '--zarr-format', '3'), { blockShape: 'a', zarr_format: 3 })
    assert.deepEqual(valuesOf(shape, '--blockShape=a', '--zarr_format=3'), { blockShape: 'a', zarr_format: 3 })
  })

  it('keeps its type if it is a number, a string of digits, or one of several numbers', () => {
    const shape = {
      sigma: z.number(),
      id: z.string(),
      format: z.union([z.literal(2), z.literal(3)]),
      coerced: z.coerce.number(),
      piped: z.string().transform((text) => text.length),
    }
    const words = ['--sigma', '-1.5', '--id', '007', '--format', '3', '--coerced', '4', '--piped', '12']
    assert.deepEqual(valuesOf(shape, ...words), { sigma: -1.5, id: '007', format: 3, coerced: 4, piped: '12' })
    // Invalid values are left for the schema to refuse.
    assert.deepEqual(valuesOf(shape, '--sigma', 'wide', '--format', '4'), { sigma: 'wide', format: '4' })
  })

  it('is comma-separated or JSON if it is a list, and can be either if the schema allows both a value and a list', () => {
    const numbers = z.array(z.number().int())
    const shape = { shape: numbers, sigma: z.union([z.number(), z.array(z.number())]), names: z.array(z.string()) }
    const words = ['--shape', '64, 64,32', '--sigma', '2', '--names', 'a,b']
    assert.deepEqual(valuesOf(shape, ...words), { shape: [64, 64, 32], sigma: 2, names: ['a', 'b'] })
    assert.deepEqual(valuesOf(shape, '--sigma', '0.5,2', '--names', '["a,b"]'), { sigma: [0.5, 2], names: ['a,b'] })
    assert.deepEqual(valuesOf({ pair: z.tuple([z.number(), z.string()]) }, '--pair', '1,2'), { pair: [1, '2'] })
  })

  it('is JSON if it is nested', () => {
    const shape = { model: z.object({ layers: z.number() }), weights: z.record(z.string(), z.number()) }
    const words = ['--model', '{"layers":3}', '--weights', '{"a":1}']
    assert.deepEqual(valuesOf(shape, ...words), { model: { layers: 3 }, weights: { a: 1 } })
    assert.deepEqual(valuesOf(shape, '--model', '{layers'), { model: '{layers' })
  })

  it('can be null or one of several choices', () => {
    const shape = { cover: z.string().nullable(), mode: z.enum(['wrap', 'mirror']), limit: z.number().nullable() }
    const values = valuesOf(shape, '--cover', 'null', '--mode', 'wrap', '--limit', 'null')
    assert.deepEqual(values, { cover: 'null', mode: 'wrap', limit: null })
  })

  it('is a flag and its opposite if it is a boolean', () => {
    const shape = { invert: z.boolean().default(false), check: z.boolean().default(true), fast: z.boolean().optional() }
    assert.deepEqual(valuesOf(shape), {})
    assert.deepEqual(valuesOf(shape, '--invert', '--no-check', '--fast'), { invert: true, check: false, fast: true })
    assert.deepEqual(valuesOf(shape, '--no-invert', '--check'), { invert: false, check: true })
    const { values } = read(shape, [], { env: { BELLIS_CONFIG_CHECK: '0', BELLIS_CONFIG_INVERT: 'true' } })
    assert.deepEqual(values, { invert: true, check: false })
  })

  it('has the prefix --config- if the command has an option of the same name', () => {
    const shape = { workers: z.number(), help: z.string().optional(), noCache: z.boolean().optional() }
    const { values, help, command } = read(shape, ['--config-workers', '3', '--workers', '2', '--config-no-cache'])
    assert.deepEqual(
      [values, command.opts().workers],
      [
        { workers: 3, noCache: true },
        { least: 2, most: 2 },
      ],
    )
    assert.match(help, /--config-workers <number> .*the field "workers"/)
    const clash = { workers: z.number(), configWorkers: z.number() }
    assert.throws(() => read(clash, []), { code: 'INVALID_TASK', message: /would both be --config-workers/ })
    assert.throws(() => read({ aB: z.string(), a_b: z.string() }, []), {
      message: /"a_b" and "aB" would both be --a-b/,
    })
  })

  it('is taken from its flag, otherwise the environment, otherwise the file, and errors name the source', () => {
    const shape = { a: z.number(), b: z.number(), c: z.number(), d: z.number().default(4) }
    const config = file({ a: 1, b: 1, c: 1 })
    const env = { BELLIS_CONFIG_A: '2', BELLIS_CONFIG_B: '2' }
    const { values, nameOf } = read(shape, ['--a', '3'], { env, config })
    assert.deepEqual(values, { a: 3, b: 2, c: 1 })
    const names = ['a', 'b', 'c', 'd'].map((name) => nameOf(name, '[0]'))
    assert.deepEqual(names, ['--a[0]', 'BELLIS_CONFIG_B[0]', `"c" of ${config}[0]`, '--d[0]'])
  })

  it('is shown in the help with its type, description and default', () => {
    const { help } = read(
      {
        input: z.string().describe('dataset to read'),
        sigma: z
          .union([z.number(), z.array(z.number())])
          .default(2)
          .describe('width'),
        mode: z.enum(['wrap', 'mirror']).optional().describe('border'),
        check: z.boolean().default(true).describe('compare'),
        model: z.object({ layers: z.number() }).optional(),
      },
      [],
    )
    const text = help.replaceAll(/\s+/g, ' ')
    assert.match(
      text,
      /Configuration: --input <text> dataset to read \(required\) --sigma <number\|number,…> width \(default: 2\)/,
    )
    assert.match(
      text,
      /--mode <choice> border \(choices: "wrap", "mirror"\) --no-check compare \(default: true\) --model <json>/,
    )
  })
})

describe('a configuration file', () => {
  for (const [title, content, message] of [
    ['that is not JSON', '{ a: 1 }', /config\.json is not JSON: /],
    ['that is no object', [1, 2], /config\.json: expected one JSON object/],
  ] as const) {
    it(`a configuration file ${title} is refused`, () => {
      assert.throws(() => read({ a: z.number() }, [], { config: file(content) }), { code: 'INVALID_CONFIG', message })
    })
  }

  it('is refused if it does not exist', () => {
    assert.throws(() => read({}, [], { config: join(folder, 'none.json') }), { code: 'NO_SUCH_FILE' })
  })
})

describe('the environment', () => {
  it('is searched for variables that match no field', () => {
    const { fields } = read({ sigma: z.number() }, [])
    const env = { BELLIS_CONFIG_SIGMA: '1', BELLIS_CONFIG_SIGMAA: '1', BELLIS_CONTEXT: 'x', BELLIS_HOME: 'y' }
    assert.deepEqual(strayVariables(fields, env), ['BELLIS_CONFIG_SIGMAA'])
  })
})

describe('a value that matches none of several alternatives', () => {
  it('is refused with all alternatives', () => {
    const of = (field: z.ZodType, value: unknown) => () => parseConfig(z.object({ field }), { field: value }, 'task')
    const message = /"field" 4: expected one of 2\|3\.$/
    assert.throws(of(z.union([z.literal(2), z.literal(3)]), 4), { message })
    // Of types, the error names the first, or what is wrong with the closest one.
    const sigma = z.union([z.number().positive('must be above 0'), z.array(z.number().positive('must be above 0'))])
    assert.throws(of(sigma, [1, -1]), { message: /"field\[1\]" -1: must be above 0/ })
  })
})

describe('the configuration of a built-in command', () => {
  after(() => {
    delete process.env.BELLIS_CONFIG_SIGMA
  })
  const configOf = (...words: string[]) => {
    const command = new Command()
      .option('--sigma <voxels>', '', numberOrList)
      .option('--mode <mode>')
      .option('--config <file>')
      .parse(words, { from: 'user' })
    return builtInConfig(smooth.options, command, { input: 'in.zarr/raw', output: 'out.zarr/soft' })
  }

  it('is taken from the flag, otherwise from the environment, otherwise from the file', () => {
    const path = file({ sigma: 4, mode: 'wrap', input: 'not this one' })
    const words = { input: 'in.zarr/raw', output: 'out.zarr/soft' }
    assert.deepEqual(configOf('--config', path), { sigma: 4, mode: 'wrap', ...words })
    process.env.BELLIS_CONFIG_SIGMA = '3,2,1'
    assert.deepEqual(configOf('--config', path), { sigma: [3, 2, 1], mode: 'wrap', ...words })
    assert.deepEqual(configOf('--config', path, '--sigma', '2'), { sigma: 2, mode: 'wrap', ...words })
  })

  it('is refused by the name of its source', () => {
    const refused = (message: RegExp, ...words: string[]) =>
      assert.throws(() => configOf(...words), { code: 'INVALID_CONFIG', message })
    process.env.BELLIS_CONFIG_SIGMA = '-3'
    refused(/^BELLIS_CONFIG_SIGMA -3: expected a number above 0\.$/)
    refused(/^--sigma -2: expected a number above 0\.$/, '--sigma', '-2')
    delete process.env.BELLIS_CONFIG_SIGMA
    refused(/"sigma" of .*config\.json -4: expected a number above 0\.$/, '--config', file({ sigma: -4 }))
    refused(
      /there is no "sigmma" of .*config\.json; the fields are input, output, sigma/,
      '--config',
      file({ sigmma: 4 }),
    )
  })
})
