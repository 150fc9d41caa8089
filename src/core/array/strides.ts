/** The distance between neighbours along each axis of a C-ordered array or grid. @param step that of the last axis: bytes per element, or 1 for indices */
export function rowMajorStrides(shape: readonly number[], step = 1): number[] {
  const strides = new Array<number>(shape.length)
  let stride = step
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride
    stride *= shape[axis] as number
  }
  return strides
}
