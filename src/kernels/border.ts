/**
 * How an axis a b c d is extended beyond its ends: `reflect` d c b a|a b c d|d c b a, `mirror` d c b|a b c d|c b a,
 * `nearest` a a a|a b c d|d d d, `wrap` b c d|a b c d|a b c, `constant` k k k|a b c d|k k k. `grid-mirror`, `grid-wrap` and
 * `grid-constant` are SciPy's other names for `reflect`, `wrap` and `constant`.
 */
export type BorderMode =
  | 'reflect'
  | 'constant'
  | 'nearest'
  | 'mirror'
  | 'wrap'
  | 'grid-mirror'
  | 'grid-constant'
  | 'grid-wrap'

const MODES: readonly string[] = [
  'reflect',
  'constant',
  'nearest',
  'mirror',
  'wrap',
  'grid-mirror',
  'grid-constant',
  'grid-wrap',
] satisfies BorderMode[]

/** @throws RangeError for a name that is not a mode */
export function assertBorderMode(mode: unknown): asserts mode is BorderMode {
  if (!MODES.includes(mode as string)) {
    throw new RangeError(`The border mode is "${String(mode)}"; expected one of ${MODES.join(', ')}.`)
  }
}

export const isConstantMode = (mode: BorderMode): boolean => mode === 'constant' || mode === 'grid-constant'

/**
 * The element that extends an axis at a place any distance beyond its ends, reflected or wrapped as often as necessary.
 * @param place any integer, negative before the axis
 * @param length elements of the axis, ≥ 1
 * @returns 0 … length - 1, or -1 for the constant
 * @see scipy.ndimage `NI_ExtendLine`
 */
export function borderSource(place: number, length: number, mode: BorderMode): number {
  switch (mode) {
    case 'nearest':
      return Math.min(Math.max(place, 0), length - 1)
    case 'wrap':
    case 'grid-wrap':
      return modulo(place, length)
    case 'reflect':
    case 'grid-mirror': {
      const inside = modulo(place, 2 * length)
      return inside < length ? inside : 2 * length - 1 - inside
    }
    case 'mirror': {
      if (length === 1) return 0
      const inside = modulo(place, 2 * length - 2)
      return inside < length ? inside : 2 * length - 2 - inside
    }
    case 'constant':
    case 'grid-constant':
      return -1
    default:
      return mode satisfies never
  }
}

const modulo = (value: number, period: number): number => ((value % period) + period) % period
