/** Pixels along a tile: within it the bend is taken as linear, and the sites that matter are the same. */
export const TILE = 8

/** Tiles along a patch, whose sites are looked up together. */
export const PATCH = 4

/** Pixels drawn beyond each edge, because blur and vesicles reach over it. */
export const MARGIN = 16

/** Factor of grey levels while they are summed. */
export const FINE = 16

/** The section that is being drawn, with its margins; its size is a multiple of a patch. */
export interface Canvas {
  readonly width: number
  readonly height: number
  /** Grey levels × FINE. */
  readonly grey: Int16Array
  readonly ids: Uint32Array
  readonly clefts: Uint32Array
}

export function newCanvas(height: number, width: number): Canvas {
  const whole = (length: number): number => Math.ceil((length + 2 * MARGIN) / (TILE * PATCH)) * TILE * PATCH
  const [rows, columns] = [whole(height), whole(width)]
  const length = rows * columns
  return {
    width: columns,
    height: rows,
    grey: new Int16Array(length),
    ids: new Uint32Array(length),
    clefts: new Uint32Array(length),
  }
}
