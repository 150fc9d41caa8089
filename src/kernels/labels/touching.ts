import { cropBox } from '../crop.ts'
import type { Step } from './steps.ts'

/** A box of labelled voxels at a place in a volume. */
export interface LabelBox {
  /** One label per voxel, C order; 0 is the background. */
  readonly labels: Uint32Array
  /** Low corner in the volume, voxels per axis. */
  readonly offset: readonly number[]
  /** Size, voxels per axis. */
  readonly shape: readonly number[]
}

/**
 * The face of a box: its outermost layer of voxels at one end of an axis.
 * @returns a copy of the labels, with length 1 along `axis`
 * @example faceOf({ labels: Uint32Array.of(1, 2, 3, 4), offset: [8, 0], shape: [2, 2] }, 0, 'upper') // labels [3, 4], offset [9, 0], shape [1, 2]
 */
export function faceOf(box: LabelBox, axis: number, end: 'lower' | 'upper'): LabelBox {
  const face = faceBox(box, axis, end)
  const local = face.offset.map((at, i) => at - box.offset[i]!)
  return { ...face, labels: cropBox(box.labels, box.shape, local, face.shape) }
}

/** The place and size of a face, without its labels: see {@link faceOf}. */
export function faceBox(
  { offset, shape }: Pick<LabelBox, 'offset' | 'shape'>,
  axis: number,
  end: 'lower' | 'upper',
): Pick<LabelBox, 'offset' | 'shape'> {
  const by = end === 'lower' ? 0 : shape[axis]! - 1
  return {
    offset: offset.map((at, i) => (i === axis ? at + by : at)),
    shape: shape.map((length, i) => (i === axis ? 1 : length)),
  }
}

/**
 * Visits the pairs of labels that touch across two boxes: a voxel of `a` and the voxel of `b` that is `step` away from it. Pairs
 * with a label 0 are left out. A pair may be visited more than once, but not twice in a row.
 * @param a anywhere in the volume, as is `b`; voxels without a partner in the other box are ignored
 * @param step voxels per axis; for all neighbours call it with each step of `forwardSteps` and its opposite
 * @example visitTouching(faceOf(left, 2, 'upper'), faceOf(right, 2, 'lower'), [0, 0, 1], (a, b) => sets.unite(a, b))
 */
export function visitTouching(a: LabelBox, b: LabelBox, step: Step, visit: (a: number, b: number) => void): void {
  const start = a.offset.map((at, axis) => Math.max(at, b.offset[axis]! - step[axis]!))
  const shape = a.offset.map(
    (at, axis) => Math.min(at + a.shape[axis]!, b.offset[axis]! + b.shape[axis]! - step[axis]!) - start[axis]!,
  )
  if (shape.some((length) => length <= 0)) return
  const inA = cropBox(
    a.labels,
    a.shape,
    start.map((at, axis) => at - a.offset[axis]!),
    shape,
  )
  const inB = cropBox(
    b.labels,
    b.shape,
    start.map((at, axis) => at + step[axis]! - b.offset[axis]!),
    shape,
  )
  let [lastA, lastB] = [0, 0]
  for (let i = 0; i < inA.length; i++) {
    const [one, other] = [inA[i]!, inB[i]!]
    if (one === 0 || other === 0 || (one === lastA && other === lastB)) continue
    lastA = one
    lastB = other
    visit(one, other)
  }
}
