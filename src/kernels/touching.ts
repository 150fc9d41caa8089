import type { Step } from './components.ts'
import { cropBox } from './crop.ts'

/** Labels of a box of voxels, C order. */
export interface LabelBox {
  readonly labels: Uint32Array
  /** Where it begins and how long it is, voxels, one per axis. */
  readonly offset: readonly number[]
  readonly shape: readonly number[]
}

/** The outermost layer of a box, at its lower or upper end along an axis. */
export function faceOf(box: LabelBox, axis: number, end: 'lower' | 'upper'): LabelBox {
  const face = faceBox(box, axis, end)
  const local = face.offset.map((at, i) => at - box.offset[i]!)
  return { ...face, labels: cropBox(box.labels, box.shape, local, face.shape) }
}

/** Where such a layer lies. */
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
 * Calls `visit` with the labels of every two voxels of which one lies in `a` and the other one `step` further in `b`, where
 * neither is 0. The same two labels may come more than once, but not twice in a row.
 */
export function visitTouching(a: LabelBox, b: LabelBox, step: Step, visit: (a: number, b: number) => void): void {
  const begin = a.offset.map((at, axis) => Math.max(at, b.offset[axis]! - step[axis]!))
  const shape = a.offset.map(
    (at, axis) => Math.min(at + a.shape[axis]!, b.offset[axis]! + b.shape[axis]! - step[axis]!) - begin[axis]!,
  )
  if (shape.some((length) => length <= 0)) return
  const inA = cropBox(
    a.labels,
    a.shape,
    begin.map((at, axis) => at - a.offset[axis]!),
    shape,
  )
  const inB = cropBox(
    b.labels,
    b.shape,
    begin.map((at, axis) => at + step[axis]! - b.offset[axis]!),
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
