import { STATE_CODE } from '../../../core/scheduling/state-map.ts'
import { drawingContext, make } from '../../shared/elements.ts'
import { placeInSection, rasterize, type Section, sectionOf } from './block-raster.ts'
import { type Plane, planesOf } from './planes.ts'
import { listenForPointing } from './pointing.ts'
import { statePalette } from './state-colors.ts'

/** Smallest size of a block that is drawn with a gap, pixels. */
const SMALLEST_WITH_GAP = 5
const MAX_CELL = 44
/** Blocks are drawn with their aspect ratio up to this limit. */
const MAX_ASPECT = 3

export interface BlockMapOptions {
  /** Blocks per axis. */
  readonly shape: readonly number[]
  /** Size of a block along each axis, all in one unit. */
  readonly blockShape: readonly number[]
  readonly codes: Uint8Array
  readonly label: string
  /** The user has clicked a failed block, or pressed Enter on it. */
  onOpen(index: number): void
  /** The user points at a block, or no longer at any. */
  onPoint(index: number | undefined, x: number, y: number): void
}

/** A section through a grid of blocks on a canvas. Only changes are drawn, at most once per frame. */
export class BlockMap {
  readonly canvas = make('canvas', { tabindex: 0, role: 'application' })
  readonly #options: BlockMapOptions
  readonly #shape: readonly number[]
  readonly #strides: readonly number[]
  /** One pixel per block, or per several blocks. */
  readonly #small = document.createElement('canvas')
  #image = new ImageData(1, 1)
  #pixels = new Uint32Array(1)
  #section: Section
  #plane: Plane
  #at: number[]
  #palette = statePalette()
  #isFrameRequested = false
  /** Rows of the section to be drawn. */
  #from = Number.POSITIVE_INFINITY
  #to = 0
  #cellWidth = 1
  #cellHeight = 1
  #cursor: { row: number; column: number } | undefined
  /** Position of the pointer over the map, in the window. */
  #pointer: { readonly x: number; readonly y: number } | undefined

  constructor(options: BlockMapOptions) {
    this.#options = options
    const { shape, codes } = options
    // A one-dimensional grid is wrapped into rows.
    const columns = Math.ceil(Math.sqrt(2 * codes.length))
    this.#shape = shape.length === 1 ? [Math.ceil(codes.length / columns), columns] : shape
    this.#strides = this.#shape.map((_, axis) => this.#shape.slice(axis + 1).reduce((all, length) => all * length, 1))
    this.#plane = planesOf(this.#shape.length)[0] as Plane
    this.#at = this.#shape.map((length) => Math.floor(length / 2))
    this.#section = sectionOf(this.#shape, this.#plane.down, this.#plane.across, this.#at)
    this.canvas.setAttribute('aria-label', options.label)
    this.#listen()
  }

  get at(): readonly number[] {
    return this.#at
  }

  get plane(): Plane {
    return this.#plane
  }

  /** To be called once the canvas is in the page, and if the page changes its size. */
  resize(): void {
    const parent = this.canvas.parentElement
    if (parent === null) return
    const { rows, columns } = this.#section
    const { blockShape, shape } = this.#options
    const isWrapped = shape.length === 1
    const ratio = isWrapped ? 1 : (blockShape[this.#plane.down] ?? 1) / (blockShape[this.#plane.across] ?? 1)
    const aspect = Math.min(MAX_ASPECT, Math.max(1 / MAX_ASPECT, ratio))
    const room = { width: parent.clientWidth, height: Number.parseFloat(getComputedStyle(parent).maxHeight) || 280 }
    if (room.width === 0) return
    const cell = Math.min(room.width / columns, room.height / (rows * aspect), MAX_CELL)
    const whole = (size: number) => (size >= 2 ? Math.floor(size) : size)
    this.#cellWidth = whole(cell)
    this.#cellHeight = whole(cell * aspect)
    const scale = window.devicePixelRatio
    const width = Math.max(1, Math.round(columns * this.#cellWidth))
    const height = Math.max(1, Math.round(rows * this.#cellHeight))
    this.canvas.style.width = `${width}px`
    this.canvas.style.height = `${height}px`
    this.canvas.width = Math.round(width * scale)
    this.canvas.height = Math.round(height * scale)
    const [w, h] = [Math.min(columns, this.canvas.width), Math.min(rows, this.canvas.height)]
    this.#small.width = w
    this.#small.height = h
    this.#image = new ImageData(w, h)
    this.#pixels = new Uint32Array(this.#image.data.buffer)
    this.redraw()
  }

  cut(plane: Plane, at: readonly number[]): void {
    const isTurned = plane.name !== this.#plane.name
    this.#plane = plane
    this.#at = [...at]
    this.#section = sectionOf(this.#shape, plane.down, plane.across, at)
    if (isTurned) {
      this.#cursor = undefined
      this.resize()
    } else this.redraw()
    // The pointer is over another block now.
    if (this.#pointer !== undefined) this.#point(this.#pointer.x, this.#pointer.y)
  }

  /** The position of a block along each axis. */
  coordinates(index: number): number[] {
    return this.#shape.map((length, axis) => Math.floor(index / (this.#strides[axis] as number)) % length)
  }

  /** Shows the section that contains a block, with the cursor on it. */
  pointAt(index: number): void {
    const at = this.coordinates(index)
    this.cut(this.#plane, at)
    this.#cursor = placeInSection(this.#section, index)
    this.redraw()
  }

  /** The colours have changed. */
  recolor(): void {
    this.#palette = statePalette()
    this.redraw()
  }

  redraw(): void {
    this.#mark(0, this.#section.rows)
    this.update()
  }

  /** The state of the blocks from `start` to `end` (exclusive) has changed; the next `update` draws it. */
  changed(start: number, end: number): void {
    const { base, rows, columns, rowStride, columnStride } = this.#section
    const last = base + (rows - 1) * rowStride + (columns - 1) * columnStride
    if (end <= base || start > last) return
    if (rowStride < columnStride || rowStride === 0) {
      this.#mark(0, rows)
      return
    }
    const row = (index: number) => Math.min(rows - 1, Math.max(0, Math.floor((index - base) / rowStride)))
    this.#mark(row(start), row(end - 1) + 1)
  }

  #mark(from: number, to: number): void {
    this.#from = Math.min(this.#from, from)
    this.#to = Math.max(this.#to, to)
  }

  /** Draws the changes with the next frame. */
  update(): void {
    if (this.#isFrameRequested || this.#from >= this.#to) return
    this.#isFrameRequested = true
    requestAnimationFrame(() => {
      this.#isFrameRequested = false
      this.#draw()
    })
  }

  #draw(): void {
    const [from, to] = [this.#from, Math.min(this.#to, this.#section.rows)]
    this.#from = Number.POSITIVE_INFINITY
    this.#to = 0
    const { width, height } = this.#image
    rasterize(this.#options.codes, this.#section, this.#palette, this.#pixels, width, height, from, to)
    const first = Math.floor((from * height) / this.#section.rows)
    const lines = Math.ceil((to * height) / this.#section.rows) - first
    drawingContext(this.#small)?.putImageData(this.#image, 0, 0, 0, first, width, lines)
    const context = drawingContext(this.canvas)
    if (context === null) return
    context.imageSmoothingEnabled = false
    const top = Math.round((from * this.canvas.height) / this.#section.rows)
    const bottom = Math.round((to * this.canvas.height) / this.#section.rows)
    context.clearRect(0, top, this.canvas.width, bottom - top)
    context.drawImage(this.#small, 0, first, width, lines, 0, top, this.canvas.width, bottom - top)
    this.#drawGaps(context, top, bottom)
    this.#drawCursor(context)
  }

  /** Separates blocks that are large enough. */
  #drawGaps(context: CanvasRenderingContext2D, top: number, bottom: number): void {
    if (Math.min(this.#cellWidth, this.#cellHeight) < SMALLEST_WITH_GAP) return
    const scale = window.devicePixelRatio
    const [w, h] = [this.#cellWidth * scale, this.#cellHeight * scale]
    for (let x = w; x < this.canvas.width + 1; x += w)
      context.clearRect(Math.round(x - scale), top, scale, bottom - top)
    for (let row = Math.round(top / h) + 1; row * h <= bottom + 1; row++) {
      context.clearRect(0, Math.round(row * h - scale), this.canvas.width, scale)
    }
  }

  #drawCursor(context: CanvasRenderingContext2D): void {
    if (this.#cursor === undefined) return
    const scale = window.devicePixelRatio
    const [w, h] = [this.#cellWidth * scale, this.#cellHeight * scale]
    context.strokeStyle = getComputedStyle(this.canvas).getPropertyValue('--text')
    context.lineWidth = 2 * scale
    const { row, column } = this.#cursor
    context.strokeRect(column * w, row * h, Math.max(w - scale, 2 * scale), Math.max(h - scale, 2 * scale))
  }

  #listen(): void {
    const leave = () => {
      this.#pointer = undefined
      this.#options.onPoint(undefined, 0, 0)
    }
    listenForPointing(this.canvas, {
      point: (x, y) => this.#point(x, y),
      isPointing: () => this.#pointer !== undefined,
      leave,
      step: (rows, columns) => this.#moveCursor(rows, columns),
      click: (x, y) => this.#open(this.#under(x, y)),
      enter: () =>
        this.#open(this.#cursor === undefined ? undefined : this.#indexAt(this.#cursor.row, this.#cursor.column)),
      blur: () => {
        this.#cursor = undefined
        this.redraw()
        leave()
      },
    })
  }

  /** Moves the cursor by some blocks, and points at the block there. */
  #moveCursor(down: number, right: number): void {
    const { rows, columns } = this.#section
    const clamp = (value: number, length: number) => Math.min(length - 1, Math.max(0, value))
    const before = this.#cursor ?? { row: -down, column: -right }
    const row = clamp(before.row + down, rows)
    const column = clamp(before.column + right, columns)
    this.#cursor = { row, column }
    this.redraw()
    const { left, top } = this.canvas.getBoundingClientRect()
    const [x, y] = [left + (column + 0.5) * this.#cellWidth, top + (row + 0.5) * this.#cellHeight]
    this.#options.onPoint(this.#indexAt(row, column), x, y)
  }

  #point(x: number, y: number): void {
    this.#pointer = { x, y }
    this.#options.onPoint(this.#under(x, y), x, y)
  }

  #open(index: number | undefined): void {
    if (index !== undefined && this.#options.codes[index] === STATE_CODE.failed) this.#options.onOpen(index)
  }

  /** The block at a position in the window. */
  #under(x: number, y: number): number | undefined {
    const { left, top } = this.canvas.getBoundingClientRect()
    const column = Math.floor((x - left) / this.#cellWidth)
    const row = Math.floor((y - top) / this.#cellHeight)
    return this.#indexAt(row, column)
  }

  #indexAt(row: number, column: number): number | undefined {
    const { base, rows, columns, rowStride, columnStride } = this.#section
    if (row < 0 || column < 0 || row >= rows || column >= columns) return undefined
    const index = base + row * rowStride + column * columnStride
    return index < this.#options.codes.length ? index : undefined
  }
}
