import { ConfigError } from '../core/errors.ts'
import type { ViewAxis } from '../core/view/view.ts'

/**
 * The position of the first view: the middle of a voxel.
 * @param nm the requested position, nm (for a time axis: seconds), one number per axis, slowest first @default the middle of the volume
 * @returns voxels
 * @throws ConfigError `RANK_MISMATCH`, `OUTSIDE_ARRAY`
 */
export function firstPosition(axes: readonly ViewAxis[], nm?: readonly number[]): number[] {
  const names = axes.map((axis) => axis.name).join(',')
  if (nm !== undefined && nm.length !== axes.length) {
    throw new ConfigError(
      'RANK_MISMATCH',
      `Position ${nm.join(',')}: expected ${axes.length} numbers (${names}), got ${nm.length}.`,
    )
  }
  return axes.map((axis, i) => {
    const { lower, upper, name } = axis
    if (nm === undefined) return lower + Math.floor((upper - lower) / 2) + (Number.isInteger(upper - lower) ? 0.5 : 0)
    const wanted = nm[i] as number
    // Rounding keeps a decimal that is a whole number of voxels whole.
    const voxel = Number((wanted / nmPerVoxel(axis)).toPrecision(12))
    if (voxel >= lower && voxel < upper) return lower + Math.floor(voxel - lower) + 0.5
    const [from, to] = [lower, upper].map((end) => Number((end * nmPerVoxel(axis)).toPrecision(12)))
    throw new ConfigError(
      'OUTSIDE_ARRAY',
      `Position ${nm.join(',')} is outside the volume: ${name} extends from ${from} to ${to} nm.`,
    )
  })
}

const nmPerVoxel = ({ scale, unit }: ViewAxis): number => (unit === 'm' ? scale / 1e-9 : scale)

/** A short name for each dataset: the last part of its path, or more parts if names would be equal. */
export function layerNames(paths: readonly string[]): string[] {
  const parts = paths.map((path) => path.split('/').filter(Boolean))
  const names = parts.map((list) => shortest(list, parts))
  // Names can still be equal, for example if a dataset is given twice.
  return names.map((name, i) => {
    const before = names.slice(0, i).filter((other) => other === name).length
    return before === 0 ? name : `${name} (${before + 1})`
  })
}

function shortest(parts: readonly string[], all: readonly (readonly string[])[]): string {
  for (let count = 1; count < parts.length; count++) {
    const name = parts.slice(-count).join('/')
    if (all.filter((other) => other.slice(-count).join('/') === name).length === 1) return name
  }
  return parts.join('/')
}
