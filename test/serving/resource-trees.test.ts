import { createBlockGrid } from '../../src/core/grid/block-grid.ts'
import { placedGroup } from '../../src/serving/placed-group.ts'
import { servedMemory } from '../../src/serving/served-memory.ts'
import { stateVolume } from '../../src/serving/state-volume.ts'
import { virtualZarr } from '../../src/serving/virtual-zarr.ts'
import { describeResourceTree } from '../contracts/resource-tree.contract.ts'
import { memoryArray } from '../support/memory-array.ts'

const JSON_TYPE = 'application/json'
const BYTES_TYPE = 'application/octet-stream'

const volume = () => {
  const data = Uint8Array.from({ length: 4 * 50 * 60 }, (_, index) => index % 200)
  return { data, array: memoryArray({ shape: [4, 50, 60], dtype: 'uint8', data, chunkShape: [4, 50, 60] }) }
}

describeResourceTree('a virtual Zarr array', () => {
  const { array, data } = volume()
  return {
    tree: virtualZarr(array, 'uint8', servedMemory()),
    content: [
      { path: 'c/0/0/0', contentType: BYTES_TYPE },
      { path: 'zarr.json', contentType: JSON_TYPE },
    ],
    nothing: ['c', 'c/0', 'c/0/0', 'c/1/0/0', 'c/0/0/60', 'c/-1/0/0', 'c/0/0/00', 'd/0/0/0'],
    change: () => data.fill(7),
  }
})

for (const [zarrFormat, names] of [
  [2, ['.zgroup', '.zattrs']],
  [3, ['zarr.json']],
] as const) {
  describeResourceTree(`a placed group of Zarr ${zarrFormat}`, () => {
    const { array } = volume()
    return {
      tree: placedGroup([{ array, files: virtualZarr(array, 'uint8', servedMemory()) }], zarrFormat),
      content: [
        ...names.map((path) => ({ path, contentType: JSON_TYPE })),
        { path: '0/zarr.json', contentType: JSON_TYPE },
        { path: '0/c/0/0/0', contentType: BYTES_TYPE },
      ],
      nothing: ['0', '1', '1/zarr.json', '-1/zarr.json', '0/0/zarr.json'],
    }
  })
}

describeResourceTree('a volume of the states of blocks', () => {
  const box = (length: number) => ({ offset: [0, 0], shape: [length, length] })
  const grid = createBlockGrid({ totalRoi: box(100), readRoi: box(1), writeRoi: box(1) })
  const codes = new Uint8Array(grid.blockCount).fill(2)
  return {
    tree: stateVolume({ grid, unit: 'nm', axisNames: ['y', 'x'], codes: () => codes }),
    content: [
      { path: '0/0.0', contentType: BYTES_TYPE },
      { path: '0/1.1', contentType: BYTES_TYPE },
      { path: '0/zarr.json', contentType: JSON_TYPE },
      { path: 'zarr.json', contentType: JSON_TYPE },
    ],
    nothing: ['0', '0/2.0', '0/0', '0/0.0.0', '0/0/0', '0/00.0', '1/0.0'],
    change: () => codes.fill(3),
  }
})
