import type { Component, Frame } from './frame.ts'
import { inverseCosine } from './inverse-cosine.ts'
import { type Plane, upsample } from './upsample.ts'

/**
 * The pixels of an image whose coefficients are complete.
 * @param transform what Adobe's programs say of the colors: 0 for red, green and blue as they are
 */
export function pixelsOf({ width, height, components }: Frame, transform: number | undefined): Uint8Array {
  const [across, down] = [mostOf(components, 'across'), mostOf(components, 'down')]
  const planes = components.map((component) =>
    upsample(samplesOf(component), across / component.across, down / component.down, width, height),
  )
  const ids = components.map(({ id }) => String.fromCharCode(id)).join('')
  const [one, two, three] = planes
  if (two === undefined || three === undefined) return withoutMargin(one as Plane)
  return joined(one as Plane, two, three, transform === 0 || ids === 'RGB')
}

const mostOf = (components: readonly Component[], of: 'across' | 'down') =>
  Math.max(...components.map((each) => each[of]))

function samplesOf({ columns, rows, width, height, blocks, table }: Component): Plane {
  const stride = columns * 8
  const samples = new Uint8Array(stride * rows * 8)
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, at += 64) {
      inverseCosine(blocks, at, table as Int32Array, samples, row * 8 * stride + column * 8, stride)
    }
  }
  return { samples, stride, width, height }
}

function withoutMargin({ samples, stride, width, height }: Plane): Uint8Array {
  for (let y = 1; stride > width && y < height; y++) samples.copyWithin(y * width, y * stride, y * stride + width)
  return samples.subarray(0, width * height)
}

/** Samples of a pixel beside each other, from brightness and two colors if they are not red, green and blue already. */
function joined(one: Plane, two: Plane, three: Plane, isRgb: boolean): Uint8Array {
  const { width, height } = one
  const target = new Uint8ClampedArray(3 * width * height)
  for (let y = 0, to = 0; y < height; y++) {
    const [first, second, third] = [y * one.stride, y * two.stride, y * three.stride]
    for (let x = 0; x < width; x++, to += 3) {
      const a = one.samples[first + x] as number
      const b = two.samples[second + x] as number
      const c = three.samples[third + x] as number
      const [blue, red] = [b - 128, c - 128]
      target[to] = isRgb ? a : a + ((91881 * red + 32768) >> 16)
      target[to + 1] = isRgb ? b : a + ((-22554 * blue - 46802 * red + 32768) >> 16)
      target[to + 2] = isRgb ? c : a + ((116130 * blue + 32768) >> 16)
    }
  }
  return new Uint8Array(target.buffer)
}
