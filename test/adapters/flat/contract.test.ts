import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { deflateSync } from 'node:zlib'
import { flatFormat } from '../../../src/adapters/flat/flat-format.ts'
import { BYTES_PER_ELEMENT, bytesOf, DTYPES, type DType, type TypedArray } from '../../../src/core/array/dtype.ts'
import { describeChunkedArray } from '../../contracts/chunked-array.contract.ts'
import { inFortranOrder, inOrder, npyBytes } from '../../support/flat-files.ts'
import { temporaryFolder } from '../../support/zarr.ts'

const ALL_AXES = { isWritable: false, chunksOf: (shape: readonly number[]) => shape } as const

for (const [name, order, bigEndian] of [
  ['NumPy files', 'C', false],
  ['NumPy files, Fortran order, big-endian', 'F', true],
] as const) {
  describeChunkedArray(name, {
    ...ALL_AXES,
    dtypes: DTYPES,
    async make(t, { shape, dtype }, voxels) {
      const path = join(await temporaryFolder(t), 'a.npy')
      const stored = order === 'F' ? inFortranOrder(shape, voxels as TypedArray) : voxels
      await writeFile(path, npyBytes(shape, dtype, stored as TypedArray, { order, bigEndian }))
      return flatFormat().open(path, '')
    },
  })
}

const METAIMAGE: Partial<Record<DType, string>> = {
  ...{ int8: 'MET_CHAR', uint8: 'MET_UCHAR', int16: 'MET_SHORT', uint16: 'MET_USHORT', int32: 'MET_INT' },
  ...{
    uint32: 'MET_UINT',
    int64: 'MET_LONG_LONG',
    uint64: 'MET_ULONG_LONG',
    float32: 'MET_FLOAT',
    float64: 'MET_DOUBLE',
  },
}

describeChunkedArray('MetaImage files, compressed', {
  ...ALL_AXES,
  dtypes: Object.keys(METAIMAGE) as DType[],
  async make(t, { shape, dtype }, voxels) {
    const path = join(await temporaryFolder(t), 'a.mha')
    const header = [
      ...['ObjectType = Image', `NDims = ${shape.length}`, `DimSize = ${shape.toReversed().join(' ')}`],
      ...[`ElementType = ${METAIMAGE[dtype]}`, 'BinaryDataByteOrderMSB = True', 'CompressedData = True'],
      'ElementDataFile = LOCAL\n',
    ].join('\n')
    const stored = inOrder(bytesOf(voxels as TypedArray), BYTES_PER_ELEMENT[dtype], true)
    await writeFile(path, Buffer.concat([Buffer.from(header), deflateSync(stored)]))
    return flatFormat().open(path, '')
  },
})
