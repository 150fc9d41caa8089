import { type Decimal, decimalOf } from '../../../core/geometry/decimal.ts'

// Placements are decimal numbers of people: 2.3 + 0.1 is 2.4 in a file, not 2.4000000000000004.

const toNumber = ({ digits, exponent }: Decimal): number => Number(`${digits}e${exponent}`)

function sum(a: Decimal, b: Decimal): Decimal {
  const exponent = Math.min(a.exponent, b.exponent)
  const digits = ({ digits, exponent: own }: Decimal) => digits * 10n ** BigInt(own - exponent)
  return { digits: digits(a) + digits(b), exponent }
}

const half = ({ digits, exponent }: Decimal): Decimal => ({ digits: digits * 5n, exponent: exponent - 1 })
const negated = ({ digits, exponent }: Decimal): Decimal => ({ digits: -digits, exponent })
const product = (a: Decimal, b: Decimal): Decimal => ({
  digits: a.digits * b.digits,
  exponent: a.exponent + b.exponent,
})

/** The centre of a voxel that begins at `edge`. */
export const centerOf = (edge: number, scale: number): number => toNumber(sum(decimalOf(edge), half(decimalOf(scale))))

/** Where a voxel begins whose centre is at `center`. */
export const edgeOf = (center: number, scale: number): number =>
  toNumber(sum(decimalOf(center), negated(half(decimalOf(scale)))))

export const multiplyExactly = (a: number, b: number): number => toNumber(product(decimalOf(a), decimalOf(b)))

export const addExactly = (a: number, b: number): number => toNumber(sum(decimalOf(a), decimalOf(b)))
