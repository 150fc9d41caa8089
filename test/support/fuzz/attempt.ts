import { getHeapStatistics } from 'node:v8'
import { Script } from 'node:vm'
import { BlockwiseError, type ErrorCode, messageOf } from '../../../src/core/errors.ts'

/** Longest time for one input. The limit of the processor time is checked alone, since other processes may delay an input. */
const MAX_MS = 1000
/** After this time a loop is interrupted. */
const MAX_WALL_MS = 5000

/** What a target does with an input: it returns, or throws one of the errors that it may throw. */
export type Parse = (input: Uint8Array) => unknown

export interface Bounds {
  /** The codes of the errors with which an input may be refused. */
  readonly codes: readonly ErrorCode[]
  /** Other errors that an internal parser may throw, which its caller turns into one with a code. @default none */
  readonly isRefusal?: ((error: unknown) => boolean) | undefined
  /** Most memory that an input may claim, in bytes. */
  readonly maxBytes: number
}

/** What is wrong with an input; inputs with the same key have the same cause, most likely. */
export interface Fault {
  readonly key: string
  readonly message: string
}

/** Runs inputs until the first one that breaks a bound. */
export async function firstFault(
  parse: Parse,
  inputs: readonly Uint8Array[],
  bounds: Bounds,
): Promise<{ readonly input: Uint8Array; readonly fault: Fault } | undefined> {
  for (let start = 0; start < inputs.length; ) {
    const { suspect, done } = await runSome(parse, inputs.slice(start), bounds)
    start += done
    if (suspect === undefined) continue
    const fault = await faultOf(parse, suspect, bounds)
    if (fault !== undefined) return { input: suspect, fault }
  }
  return undefined
}

/** Runs one input alone. @returns undefined if it keeps to the bounds */
export async function faultOf(parse: Parse, input: Uint8Array, bounds: Bounds): Promise<Fault | undefined> {
  const before = { bytes: usedBytes(), cpu: process.cpuUsage() }
  let thrown: unknown
  try {
    await interruptible(() => parse(input))
  } catch (error) {
    thrown = error ?? new Error('undefined was thrown')
  }
  const { user, system } = process.cpuUsage(before.cpu)
  const ms = (user + system) / 1000
  const bytes = usedBytes() - before.bytes
  if (isInterrupted(thrown)) return { key: 'time', message: `it did not end within ${MAX_WALL_MS} ms` }
  if (ms > MAX_MS) return { key: 'time', message: `it took ${Math.round(ms)} ms of processor time` }
  if (bytes > bounds.maxBytes) return { key: 'memory', message: `it claimed ${bytes} bytes` }
  if (thrown === undefined || isAllowed(thrown, bounds)) return undefined
  const { stack = '' } = thrown instanceof Error ? thrown : {}
  const [frame = ''] = /\/src\/[^\s)]*/.exec(stack) ?? []
  const name = thrown instanceof BlockwiseError ? thrown.code : thrown instanceof Error ? thrown.name : typeof thrown
  return { key: `${name} ${frame}`, message: `it threw ${name}: ${messageOf(thrown)}\n${stack}` }
}

function isAllowed(error: unknown, { codes, isRefusal }: Bounds): boolean {
  return (error instanceof BlockwiseError && codes.includes(error.code)) || isRefusal?.(error) === true
}

/** @returns how many inputs are done, and the one among them that may break a bound */
async function runSome(parse: Parse, inputs: readonly Uint8Array[], bounds: Bounds) {
  let done = 0
  let isSuspect = false
  let [bytes, start] = [0, 0]
  const runNext = (): unknown => {
    bytes = usedBytes()
    start = performance.now()
    try {
      return parse(inputs[done++]!)
    } catch (error) {
      isSuspect ||= !isAllowed(error, bounds)
      return undefined
    }
  }
  const look = () => {
    isSuspect ||= performance.now() - start > MAX_MS || usedBytes() - bytes > bounds.maxBytes
  }
  try {
    while (done < inputs.length && !isSuspect) {
      // A guard costs as much as a hundred inputs: one is set for all that follow, until one has to be awaited.
      const last = interruptible(() => {
        while (done < inputs.length && !isSuspect) {
          const result = runNext()
          if (result instanceof Promise) return result
          look()
        }
        return undefined
      })
      await Promise.resolve(last).catch((error: unknown) => {
        isSuspect ||= !isAllowed(error, bounds)
      })
      look()
    }
  } catch {
    isSuspect = true
  }
  return { done, suspect: isSuspect ? inputs[done - 1] : undefined }
}

function usedBytes(): number {
  const { used_heap_size: heap, external_memory: external } = getHeapStatistics()
  return heap + external
}

const CALL = Symbol.for('bellis.fuzz.call')
const script = new Script(`globalThis[Symbol.for('bellis.fuzz.call')]()`)
const scope = globalThis as unknown as Record<symbol, unknown>

/** Calls a function and interrupts it if it loops for ever. */
function interruptible(call: () => unknown): unknown {
  scope[CALL] = call
  return script.runInThisContext({ timeout: MAX_WALL_MS })
}

const isInterrupted = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
