import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { ErrorCode } from '../../../src/core/errors.ts'
import { type Bounds, faultOf, firstFault, type Parse } from './attempt.ts'
import { BlockCoverage } from './block-coverage.ts'
import { keepInput, readCorpus } from './corpus.ts'
import { minimise } from './minimise.ts'
import { type InputKind, mutate } from './mutate.ts'
import { seededRandom } from './random.ts'

export interface FuzzTarget {
  readonly kind: InputKind
  /** Valid inputs to start from. */
  readonly seeds: readonly (string | Uint8Array)[]
  /** Words that mean something to the parser. @default none */
  readonly dictionary?: readonly (string | Uint8Array)[]
  /** The codes of the errors with which an input may be refused. */
  readonly codes: readonly ErrorCode[]
  /** Other errors that an internal parser may throw, which its caller turns into one with a code. @default none */
  readonly isRefusal?: (error: unknown) => boolean
  /** Longest input, in bytes. @default 4096 */
  readonly maxLength?: number
  /** Most memory that an input may claim, in bytes. @default 32 MiB */
  readonly maxBytes?: number
  /** Imports the parser: what is imported before this is not counted. */
  load(): Promise<Parse>
}

const SEED = 20_261_129
const MAX_BATCH = 128
/** A batch of this duration is long enough: reading the coverage takes some milliseconds. */
const BATCH_MS = 120

const settings = {
  // The fast tier of tests sets the number of examples, too.
  seconds: Number(process.env.BELLIS_FUZZ_SECONDS ?? (process.env.BELLIS_TEST_RUNS === undefined ? 2 : 0.5)),
  seed: Number(process.env.BELLIS_FUZZ_SEED ?? SEED),
  isLong: process.env.BELLIS_FUZZ_SECONDS !== undefined,
  keeps: process.env.BELLIS_FUZZ_KEEP === '1',
}

let coverage: BlockCoverage | undefined

/**
 * Defines a test that feeds a parser with inputs made from valid ones, and keeps as material those that reach new code. It fails for an
 * input that throws anything but an expected error, takes longer than a second or claims too much memory; that input is made
 * smaller and written to `test/fuzz/corpus`, from where every later run tries it first.
 */
export function fuzzTarget(name: string, target: FuzzTarget): void {
  it(name, async (context) => {
    const { kind, codes, isRefusal, maxLength = 4096, maxBytes = 32 * 2 ** 20 } = target
    // V8 counts for one reader at a time: if coverage is measured by somebody else, the kept inputs alone are tried.
    const isMeasured = process.env.NODE_V8_COVERAGE !== undefined
    if (!isMeasured) coverage ??= new BlockCoverage()
    const bounds: Bounds = { codes, isRefusal, maxBytes }
    const parse = await target.load()
    const bytesOf = (text: string | Uint8Array) => (typeof text === 'string' ? new TextEncoder().encode(text) : text)
    const pool = [...target.seeds.map(bytesOf), ...readCorpus(name)]
    const tries: Tries = { name, kind, parse, bounds }
    await assertBounds(tries, pool, 'a kept input')
    if (coverage === undefined) return
    const random = seededRandom(settings.seed)
    const mutation = { kind, maxLength, dictionary: (target.dictionary ?? []).map(bytesOf) }
    const start = performance.now()
    let [batch, tried] = [16, 0]
    for (coverage.keep(); performance.now() - start < settings.seconds * 1000; tried += batch) {
      const inputs = Array.from({ length: batch }, () => mutate(random.pick(pool), random, pool, mutation))
      const from = performance.now()
      await assertBounds(tries, inputs, `an input made with seed ${settings.seed}`)
      const ms = performance.now() - from
      if (coverage.hasNew()) pool.push(...(await thoseThatReachMore(tries, inputs, coverage)))
      batch = Math.max(1, Math.min(MAX_BATCH, Math.round((batch * BATCH_MS) / Math.max(1, ms))))
    }
    if (settings.isLong) context.diagnostic(`${name}: seed ${settings.seed}, ${tried} inputs, ${pool.length} kept`)
    if (settings.keeps) await keepCover(tries, target.seeds.map(bytesOf), pool, coverage)
  })
}

interface Tries {
  readonly name: string
  readonly kind: InputKind
  readonly parse: Parse
  readonly bounds: Bounds
}

/** Fails for the first input that breaks a bound, with the smallest one that breaks it, too. */
async function assertBounds(tries: Tries, inputs: readonly Uint8Array[], what: string): Promise<void> {
  const { name, kind, parse, bounds } = tries
  const found = await firstFault(parse, inputs, bounds)
  if (found === undefined) return
  const { key, message } = found.fault
  const hasFault = async (input: Uint8Array) => (await faultOf(parse, input, bounds))?.key === key
  const smallest = await minimise(found.input, hasFault, key === 'time' ? 60_000 : 20_000)
  const path = keepInput(name, kind, 'found', smallest)
  const shown = kind === 'bytes' ? Buffer.from(smallest).toString('hex') : new TextDecoder().decode(smallest)
  assert.fail(`${name} fails for ${what}, written to ${path}: ${message}\n${shown.slice(0, 2000)}`)
}

/** The inputs that reach code that none before them reaches; all of them are known to keep to the bounds. */
async function thoseThatReachMore(
  tries: Tries,
  inputs: readonly Uint8Array[],
  known: BlockCoverage,
): Promise<Uint8Array[]> {
  for (const input of inputs) {
    try {
      await tries.parse(input)
    } catch {
      // It is refused, as it may be.
    }
  }
  if (inputs.length === 1) return known.keep() ? [...inputs] : []
  // Looking costs more than running a few inputs again.
  if (inputs.length === 0 || !known.hasNew()) return []
  const half = Math.ceil(inputs.length / 2)
  const first = await thoseThatReachMore(tries, inputs.slice(0, half), known)
  return [...first, ...(await thoseThatReachMore(tries, inputs.slice(half), known))]
}

/** Writes the shortest inputs that together reach all that is reached, apart from what the seeds reach. */
async function keepCover(
  tries: Tries,
  seeds: readonly Uint8Array[],
  pool: readonly Uint8Array[],
  known: BlockCoverage,
): Promise<void> {
  known.forget()
  await thoseThatReachMore(tries, seeds, known)
  const shortest = pool.filter((input) => !seeds.includes(input)).sort((a, b) => a.length - b.length)
  for (const input of await thoseThatReachMore(tries, shortest, known)) {
    keepInput(tries.name, tries.kind, 'covers', input)
  }
}
