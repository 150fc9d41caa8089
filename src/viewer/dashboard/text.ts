import { showDuration } from '../../core/text/numbers.ts'

/** `1 234 567` */
export const showNumber = (value: number): string => Math.round(value).toLocaleString('en').replaceAll(',', '\u202f')

/** `0.31 ms`, `48 ms`, `2.4 s` */
export function showMs(ms: number): string {
  if (ms < 1000) return `${Number(ms.toPrecision(2))} ms`
  return ms < 60_000 ? `${Number((ms / 1000).toPrecision(2))} s` : showDuration(ms / 1000, 0)
}

/** `62 %`; never 100 before everything is done. */
export function showShare(part: number, whole: number): string {
  if (whole === 0 || part >= whole) return '100 %'
  const share = Math.floor((part / whole) * 1000) / 10
  return `${share < 10 ? share : Math.floor(share)} %`
}

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${showNumber(count)} ${count === 1 ? one : many}`
