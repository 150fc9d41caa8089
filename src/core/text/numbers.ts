// Numbers as users read them, on the terminal and on the page.

/** `1.23 M`, for counts and rates. */
export function showCount(value: number): string {
  if (value >= 1e9) return `${(value / 1e9).toPrecision(3)} G`
  if (value >= 1e6) return `${(value / 1e6).toPrecision(3)} M`
  if (value >= 1e4) return `${(value / 1e3).toPrecision(3)} k`
  // Above 99.5 two digits would become '1.0e+2'.
  return value >= 99.5 || Number.isInteger(value) ? String(Math.round(value)) : value.toPrecision(2)
}

/** `1,234,567`; below 10,000 without commas. */
export const showWhole = (value: number): string =>
  value < 10_000 ? String(value) : String(value).replace(/\B(?=(\d{3})+$)/g, ',')

/** `3 of 64 blocks`, `1 of 1 block` */
export const showBlocksOf = (count: number, total: number): string =>
  `${showWhole(count)} of ${showWhole(total)} ${total === 1 ? 'block' : 'blocks'}`

/**
 * `37 ms`, `8.0 s`, `45 s`, `3 min 20 s`, `12 min`, `2 h 05 min`, `4 d 3 h`.
 * @param decimals of durations below 10 s; with 0, none is given in ms @default 1
 */
export function showDuration(seconds: number, decimals = 1): string {
  if (!Number.isFinite(seconds)) return '?'
  if (decimals > 0 && seconds > 0 && seconds < 0.1) return `${Number((1000 * seconds).toPrecision(2))} ms`
  if (seconds < 10) return `${seconds.toFixed(decimals)} s`
  const rounded = Math.round(seconds)
  if (rounded < 60) return `${rounded} s`
  const [minutes, hours, days] = [60, 3600, 86_400].map((unit) => Math.floor(rounded / unit)) as [
    number,
    number,
    number,
  ]
  if (rounded < 600) return `${minutes} min ${twoDigits(rounded % 60)} s`
  if (rounded < 3600) return `${Math.round(rounded / 60)} min`
  return rounded < 86_400 ? `${hours} h ${twoDigits(minutes % 60)} min` : `${days} d ${hours % 24} h`
}

/** `12.3 GB`, `384 kB`. */
export function showBytes(bytes: number | bigint): string {
  let value = Number(bytes)
  for (const unit of ['bytes', 'kB', 'MB', 'GB', 'TB', 'PB']) {
    if (value < 1000 || unit === 'PB') return `${unit === 'bytes' ? value : value.toPrecision(3)} ${unit}`
    value /= 1000
  }
  return String(bytes)
}

const twoDigits = (value: number): string => String(value).padStart(2, '0')
