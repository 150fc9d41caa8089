// AssemblyScript, compiled by scripts/build-kernels.mjs. Statistics of numbers in their order, as float64. A state is of float64:
// NaNs, values that are not 0, the sum, the least and the largest value, the sum of squared deviations; then the extremes as they
// are, if they are integers of 64 bits.

// @ts-ignore: decorator
@inline
function addTo<T>(data: usize, count: i32, state: usize, bins: i32, low: f64, high: f64, edges: usize, histogram: usize): void {
  let nan = load<f64>(state)
  let nonzero = load<f64>(state, 8)
  let sum = load<f64>(state, 16)
  let least = load<f64>(state, 24)
  let most = load<f64>(state, 32)
  let exactLeast = load<T>(state, 48)
  let exactMost = load<T>(state, 56)
  const range = high - low
  const last = bins - 1
  for (const end = data + <usize>count * sizeof<T>(); data < end; data += sizeof<T>()) {
    const exact = load<T>(data)
    const value = <f64>exact
    if (isFloat<T>() && value != value) {
      nan += 1
      continue
    }
    if (exact != <T>0) nonzero += 1
    if (value < least) least = value
    if (value > most) most = value
    if (sizeof<T>() == 8 && !isFloat<T>()) {
      if (exact < exactLeast) exactLeast = exact
      if (exact > exactMost) exactMost = exact
    }
    sum += value
    if (value >= low && value <= high) {
      let bin = min(last, <i32>(((value - low) / range) * <f64>bins))
      // The quotient is rounded, so the edges decide.
      const edge = edges + (<usize>bin << 3)
      if (value < load<f64>(edge)) bin--
      else if (bin < last && value >= load<f64>(edge, 8)) bin++
      const place = histogram + (<usize>bin << 3)
      store<f64>(place, load<f64>(place) + 1)
    }
  }
  store<f64>(state, nan)
  store<f64>(state, nonzero, 8)
  store<f64>(state, sum, 16)
  store<f64>(state, least, 24)
  store<f64>(state, most, 32)
  store<T>(state, exactLeast, 48)
  store<T>(state, exactMost, 56)
}

/**
 * Adds some values to a state and to a histogram.
 * @param type index into TYPES of moments-module.ts
 * @param bins how many; without a histogram, `low` is above `high`
 * @param edges address of bins + 1 float64, @param histogram of bins float64
 */
export function addValues(
  type: i32, data: usize, count: i32, state: usize, bins: i32, low: f64, high: f64, edges: usize, histogram: usize,
): void {
  switch (type) {
    case 0: return addTo<i32>(data, count, state, bins, low, high, edges, histogram)
    case 1: return addTo<u32>(data, count, state, bins, low, high, edges, histogram)
    case 2: return addTo<i64>(data, count, state, bins, low, high, edges, histogram)
    case 3: return addTo<u64>(data, count, state, bins, low, high, edges, histogram)
    case 4: return addTo<f32>(data, count, state, bins, low, high, edges, histogram)
    default: return addTo<f64>(data, count, state, bins, low, high, edges, histogram)
  }
}

// @ts-ignore: decorator
@inline
function deviate<T>(data: usize, count: i32, state: usize, mean: f64): void {
  let squares = load<f64>(state, 40)
  for (const end = data + <usize>count * sizeof<T>(); data < end; data += sizeof<T>()) {
    const apart = <f64>load<T>(data) - mean
    // Not by subtracting: with an infinite mean, only NaNs are left out.
    if (isFloat<T>() && <f64>load<T>(data) != <f64>load<T>(data)) continue
    squares += apart * apart
  }
  store<f64>(state, squares, 40)
}

/** Adds the squared deviations of some values. */
export function addDeviations(type: i32, data: usize, count: i32, state: usize, mean: f64): void {
  switch (type) {
    case 0: return deviate<i32>(data, count, state, mean)
    case 1: return deviate<u32>(data, count, state, mean)
    case 2: return deviate<i64>(data, count, state, mean)
    case 3: return deviate<u64>(data, count, state, mean)
    case 4: return deviate<f32>(data, count, state, mean)
    default: return deviate<f64>(data, count, state, mean)
  }
}
