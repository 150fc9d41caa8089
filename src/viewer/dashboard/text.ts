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

const twoDigits = (value: number): string => String(value).padStart(2, '0')

/** `2026-11-28`, in local time. */
const showDate = (time: Date): string =>
  [time.getFullYear(), twoDigits(time.getMonth() + 1), twoDigits(time.getDate())].join('-')

/** `22:42:09`, in local time. */
const showClock = (time: Date): string =>
  [time.getHours(), time.getMinutes(), time.getSeconds()].map(twoDigits).join(':')

/** `2026-11-28 22:42:09`, in local time. @param ms since 1970 @param day its date is left out if it is on the day of this time */
export function showTime(ms: number, day?: number): string {
  const time = new Date(ms)
  const isSameDay = day !== undefined && showDate(new Date(day)) === showDate(time)
  return isSameDay ? showClock(time) : `${showDate(time)} ${showClock(time)}`
}
