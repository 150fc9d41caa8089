// Fuzzes the parsers, for longer than `npm test` does.
//
//   node scripts/fuzz.mjs                           every target, a minute each
//   node scripts/fuzz.mjs zarr-v2-metadata          one target; a part of a name selects all that contain it
//   node scripts/fuzz.mjs blosc --seconds 600       for ten minutes
//   node scripts/fuzz.mjs --seed 7                  the inputs of another seed; without it, a new one that is printed
//   node scripts/fuzz.mjs --keep                    writes the inputs that reach the most code to test/fuzz/corpus
//
// An input that breaks a target is made smaller and written to test/fuzz/corpus, from where every test run tries it first.
import { spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const root = resolve(fileURLToPath(import.meta.url), '../..')
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string' }, seed: { type: 'string' }, keep: { type: 'boolean' } },
})
const seed = values.seed ?? String(randomInt(2 ** 31))
console.log(`seed ${seed}`)
const { status } = spawnSync(
  join(root, 'node_modules', '.bin', 'node'),
  [
    '--test',
    ...positionals.map((name) => `--test-name-pattern=${name.replaceAll(/[^\w-]/g, '\\$&')}`),
    'test/fuzz/*.test.ts',
  ],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      BELLIS_FUZZ_SECONDS: values.seconds ?? '60',
      BELLIS_FUZZ_SEED: seed,
      BELLIS_FUZZ_KEEP: values.keep ? '1' : '0',
    },
  },
)
process.exit(status ?? 1)
