import { STATE_NAMES } from '../../../core/scheduling/state-map.ts'
import type { Palette } from './block-raster.ts'

/** All states by code: those of blocks, and one that only cells of several blocks can have. */
export const SHOWN_STATES = [...STATE_NAMES, 'partly'] as const

/** The name of each state in the legend and the tooltip. */
export const STATE_TEXT: Readonly<Record<(typeof SHOWN_STATES)[number], string>> = {
  pending: 'waiting for others',
  ready: 'ready',
  processing: 'running',
  completed: 'done',
  failed: 'failed',
  orphaned: 'orphaned: a block it depends on failed',
  skipped: 'done before',
  masked: 'outside the mask',
  leftOut: 'left out of this start',
  partly: 'partly done',
}

/** Their order in the legend and in bars. */
export const STATE_ORDER = [
  ...(['completed', 'skipped', 'masked', 'processing', 'ready', 'pending', 'leftOut', 'failed', 'orphaned'] as const),
] as const

/** The colours of the style sheet: `--state-<name>`. */
export function statePalette(): Palette {
  const style = getComputedStyle(document.documentElement)
  return Uint32Array.from(SHOWN_STATES, (name) => {
    const color = style.getPropertyValue(`--state-${name}`).trim()
    const value = Number.parseInt(color.slice(1), 16)
    return (0xff000000 | ((value & 255) << 16) | (value & 0xff00) | (value >>> 16)) >>> 0
  })
}
