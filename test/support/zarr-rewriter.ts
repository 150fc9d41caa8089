// A child process of durability.test.ts: writes the complete array repeatedly, each time with the next number, until it is killed.
import { zarrFormat } from '../../src/adapters/zarr/zarr-format.ts'

const [, , container = '', mode = ''] = process.argv
const array = await zarrFormat().open(container, 'raw', { mode: 'r+', fsync: mode === 'fsync' })
const box = { offset: array.shape.map(() => 0), shape: array.shape }
const data = new Uint16Array(array.shape.reduce((a, b) => a * b, 1))
for (let value = 1; ; value = (value % 65_535) + 1) {
  data.fill(value)
  await array.writeVoxels(box, data)
  if (value === 1) process.send?.('writing')
}
