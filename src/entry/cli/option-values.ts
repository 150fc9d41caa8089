import { InvalidArgumentError } from 'commander'
import { parseWorkerRange, type WorkerRange } from '../../core/workers/pool-size.ts'
import type { Resources } from '../../core/workers/resources.ts'
import { isMemoryFactor, isSizeMb, SIZES_MB } from '../../runtime/tasks/option-checks.ts'

// Parsers for the values of flags. A parser throws only what it expected; `strict` in output.ts adds the flag and the value.

/** A parser of whole numbers of at least `least`. */
export const wholeNumber =
  (least: number) =>
  (text: string): number => {
    const value = Number(text)
    if (text.trim() !== '' && Number.isSafeInteger(value) && value >= least) return value
    throw new InvalidArgumentError(`expected a whole number of at least ${least}.`)
  }

/** A number of workers, `8`, or a range, `10..200`. */
export function workerRange(text: string): WorkerRange {
  const range = parseWorkerRange(text)
  if (range !== undefined) return range
  throw new InvalidArgumentError('expected a whole number of at least 1, or a range such as 10..200.')
}

/** How many times the memory, `2x` or `1.5`. */
export function memoryFactor(text: string): number {
  const value = Number(text.replace(/x$/i, ''))
  if (isMemoryFactor(value)) return value
  throw new InvalidArgumentError('expected a factor above 1, and at most 64, such as 2x.')
}

/** A size in MB. */
export function megabytes(text: string): number {
  const value = Number(text)
  if (isSizeMb(value)) return value
  throw new InvalidArgumentError(`expected ${SIZES_MB.text}.`)
}

/** A port to listen on; 0 chooses a free one. */
export function portNumber(text: string): number {
  const value = Number(text)
  if (text.trim() !== '' && Number.isSafeInteger(value) && value >= 0 && value <= 65_535) return value
  throw new InvalidArgumentError('expected a port from 0 to 65535.')
}

/** A positive number of seconds, at most what a timer takes (2^31 ms). */
export function seconds(text: string): number {
  const value = Number(text)
  if (value > 0 && value <= 2_000_000) return value
  throw new InvalidArgumentError('expected a number of seconds above 0, at most 2000000.')
}

/** `9464`, `0.0.0.0:9464`, `[::1]:9464`. */
export function hostAndPort(text: string): { host: string; port: number } {
  const [, host, port = ''] = /^(?:(\[[\da-f:.]+\]|[\w.-]+):)?(\d{1,5})$/i.exec(text) ?? []
  if (port !== '' && Number(port) < 65_536) {
    return { host: (host ?? '127.0.0.1').replace(/^\[|\]$/g, ''), port: Number(port) }
  }
  throw new InvalidArgumentError('expected a port, or an address and a port, such as 9464 or 0.0.0.0:9464.')
}

export const isWebAddress = (text: string): boolean => /^https?:$/.test(URL.parse(text)?.protocol ?? '')

/** An http(s) address to which notices are posted. The message does not repeat it: it is often a secret. */
export function webAddress(text: string): string {
  if (isWebAddress(text)) return text
  throw new InvalidArgumentError('expected an address that starts with https:// or http://.')
}

/** Amounts by name, `cpu=32,gpu=8`. */
export function amounts(text: string): Resources {
  const pairs = text.split(',').map((pair) => /^\s*([A-Za-z][\w-]*)=(\d+(?:\.\d+)?)\s*$/.exec(pair))
  if (pairs.every((pair) => pair !== null))
    return Object.fromEntries(pairs.map(([, name, amount]) => [name, Number(amount)]))
  throw new InvalidArgumentError('expected comma-separated names with amounts, such as cpu=32,gpu=8,memoryGb=200.')
}

/** Voxels per axis, `64,64,64`. */
export function voxelShape(text: string): number[] {
  const values = text.split(',').map(Number)
  if (values.every((value) => Number.isSafeInteger(value) && value > 0) && !text.split(',').includes('')) return values
  throw new InvalidArgumentError(
    'expected comma-separated whole numbers above 0, slowest axis first, such as 64,64,64.',
  )
}

/** One number, or one per axis separated by commas. The task checks their range. */
export function numberOrList(text: string): number | number[] {
  const values = text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)))
  if (!values.every(Number.isFinite))
    throw new InvalidArgumentError('expected a number, or one per axis separated by commas, such as 2 or 0.5,2,2.')
  return values.length === 1 ? (values[0] as number) : values
}

/** One standard deviation, or one per axis separated by commas: numbers of voxels, or of nm with their unit, not both. */
export function standardDeviation(text: string): number | string | (number | string)[] {
  const parts = text.split(',').map((part) => part.trim())
  const withUnit = parts.filter((part) => /^\d*\.?\d+\s*nm$/.test(part))
  if (withUnit.length === 0 && parts.every((part) => part !== '' && Number.isFinite(Number(part)))) {
    return numberOrList(text)
  }
  if (withUnit.length === parts.length) return parts.length === 1 ? (parts[0] as string) : parts
  throw new InvalidArgumentError(
    parts.every((part) => withUnit.includes(part) || Number.isFinite(Number(part || 'none')))
      ? 'expected all of them in voxels, such as 0.5,2,2, or all in nm, such as 20nm,8nm,8nm.'
      : 'expected a number, or one per axis separated by commas: of voxels, such as 2 or 0.5,2,2, or of nm with this unit, such as 20nm.',
  )
}

/** A number of any size and sign. */
export function anyNumber(text: string): number {
  const value = Number(text)
  if (text.trim() !== '' && Number.isFinite(value)) return value
  throw new InvalidArgumentError('expected a number.')
}

/** Numbers, one or one per axis, `40,4,4`. */
export function numberList(text: string): number[] {
  const values = text.split(',').map(Number)
  if (values.every(Number.isFinite) && !text.split(',').some((part) => part.trim() === '')) return values
  throw new InvalidArgumentError('expected comma-separated numbers, slowest axis first, such as 40,4,4.')
}

/** Names of axes, `z,y,x,c` or `zyxc`. */
export function axisNames(text: string): string[] {
  const names = text.includes(',') ? text.split(',').map((name) => name.trim()) : [...text]
  if (names.every((name) => /^\w+$/.test(name)) && new Set(names).size === names.length) return names
  throw new InvalidArgumentError('expected different names of axes, slowest first, such as z,y,x,c.')
}
