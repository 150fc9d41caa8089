/** An exact decimal number: `digits × 10^exponent`. */
export interface Decimal {
  readonly digits: bigint
  readonly exponent: number
}

/**
 * The decimal number that a float in a file stands for. A float64 stands for its shortest decimal (4.6 for 4.6); one
 * that was written as float32 (4.599999904632568) or contains rounding errors of a computation (4.6000000000000005)
 * stands for the short decimal that it came from.
 * @param value finite
 */
export function decimalOf(value: number): Decimal {
  return parseDecimal(String(withoutNoise(value)))
}

function withoutNoise(value: number): number {
  const tidy = Number(value.toPrecision(12))
  if (Math.abs(value - tidy) <= 8 * Number.EPSILON * Math.abs(value)) return tidy
  if (Math.fround(value) !== value) return value
  for (let precision = 1; precision <= 7; precision++) {
    const short = Number(value.toPrecision(precision))
    if (Math.fround(short) === value) return short
  }
  return value
}

/** Far beyond what a float64 stands for; powers of larger exponents and longer numbers would take memory and time without bound. */
const MAX_EXPONENT = 2000

/** @param text a number as JavaScript prints it or users write it: `4.6`, `-1e-7`, `.5` @throws RangeError */
export function parseDecimal(text: string): Decimal {
  const match = /^([+-]?)(\d*)\.?(\d*)(?:e([+-]?\d+))?$/i.exec(text.trim())
  if (match === null || `${match[2]}${match[3]}` === '') throw new RangeError(`"${text}" is not a decimal number`)
  const [, sign, whole = '', fraction = '', exponent = '0'] = match
  if (text.length > MAX_EXPONENT || Math.abs(Number(exponent)) > MAX_EXPONENT) {
    throw new RangeError(`"${text.slice(0, 40)}" is too large or has too many digits`)
  }
  const digits = BigInt(`${whole}${fraction}`)
  return { digits: sign === '-' ? -digits : digits, exponent: Number(exponent) - fraction.length }
}

/** Twice a decimal minus another one: twice centre − size / 2, without a fraction. */
export function doubleMinus(a: Decimal, b: Decimal): Decimal {
  const exponent = Math.min(a.exponent, b.exponent)
  return { digits: 2n * atExponent(a, exponent) - atExponent(b, exponent), exponent }
}

const atExponent = (value: Decimal, exponent: number): bigint => value.digits * 10n ** BigInt(value.exponent - exponent)

/** `value / divisor × 10^shift` as an integer; undefined if it is not one. */
export function exactInteger(value: Decimal, shift: number, divisor = 1n): bigint | undefined {
  const exponent = value.exponent + shift
  if (exponent >= 0) {
    const scaled = value.digits * 10n ** BigInt(exponent)
    return scaled % divisor === 0n ? scaled / divisor : undefined
  }
  const below = 10n ** BigInt(-exponent) * divisor
  return value.digits % below === 0n ? value.digits / below : undefined
}

/** `value / divisor × 10^shift`, rounded to the nearest integer. */
export function roundedInteger(value: Decimal, shift: number, divisor = 1n): bigint {
  const exponent = value.exponent + shift
  const over = exponent >= 0 ? value.digits * 10n ** BigInt(exponent) : value.digits
  const under = (exponent >= 0 ? 1n : 10n ** BigInt(-exponent)) * divisor
  const half = over >= 0n ? under / 2n : -under / 2n
  return (over + half) / under
}

// Exact arithmetic on numbers in files: 2.3 + 0.1 is 2.4, not 2.4000000000000004.

const toNumber = ({ digits, exponent }: Decimal): number => Number(`${digits}e${exponent}`)

function sum(a: Decimal, b: Decimal): Decimal {
  const exponent = Math.min(a.exponent, b.exponent)
  return { digits: atExponent(a, exponent) + atExponent(b, exponent), exponent }
}

const half = ({ digits, exponent }: Decimal): Decimal => ({ digits: digits * 5n, exponent: exponent - 1 })
const negated = ({ digits, exponent }: Decimal): Decimal => ({ digits: -digits, exponent })
const product = (a: Decimal, b: Decimal): Decimal => ({
  digits: a.digits * b.digits,
  exponent: a.exponent + b.exponent,
})

/** The centre of a voxel that starts at `edge`. */
export const centerOf = (edge: number, scale: number): number => toNumber(sum(decimalOf(edge), half(decimalOf(scale))))

/** The start of a voxel with its centre at `center`. */
export const edgeOf = (center: number, scale: number): number =>
  toNumber(sum(decimalOf(center), negated(half(decimalOf(scale)))))

export const multiplyExactly = (a: number, b: number): number => toNumber(product(decimalOf(a), decimalOf(b)))

export const addExactly = (a: number, b: number): number => toNumber(sum(decimalOf(a), decimalOf(b)))
