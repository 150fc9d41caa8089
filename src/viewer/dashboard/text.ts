// Numbers for people.

/** `1 234 567` */
export const showNumber = (value: number): string => Math.round(value).toLocaleString('en').replaceAll(',', '\u202f')

/** `1.2 M`, for rates. */
export function showRate(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toPrecision(3)} M`
  if (value >= 1e4) return `${(value / 1e3).toPrecision(3)} k`
  return value >= 100 ? String(Math.round(value)) : value === 0 ? '0' : value.toPrecision(2)
}

/** `8 s`, `3 min 20 s`, `2 h 05 min`, `4 d 3 h` */
export function showDuration(seconds: number): string {
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`
  if (whole < 86_400)
    return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, '0')} min`
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`
}

/** `0.31 ms`, `48 ms`, `2.4 s` */
export function showMs(ms: number): string {
  if (ms < 1000) return `${Number(ms.toPrecision(2))} ms`
  return ms < 60_000 ? `${Number((ms / 1000).toPrecision(2))} s` : showDuration(ms / 1000)
}

/** `62 %`; never 100 before all is done. */
export function showShare(part: number, whole: number): string {
  if (whole === 0 || part >= whole) return '100 %'
  const share = Math.floor((part / whole) * 1000) / 10
  return `${share < 10 ? share : Math.floor(share)} %`
}

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${showNumber(count)} ${count === 1 ? one : many}`
