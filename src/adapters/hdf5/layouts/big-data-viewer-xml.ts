import { xmlTags } from '../../files/xml-tags.ts'

/** A voxel as BigDataViewer describes it. */
export interface DescribedVoxel {
  /** Along x, y and z. */
  readonly size: readonly number[]
  readonly unit: string
}

/**
 * The voxel size of a view in the XML file of BigDataViewer: `<ViewSetup><id>0</id><voxelSize><unit>µm</unit><size>1 1 2</size></voxelSize>`.
 * @returns undefined if the file does not say it
 */
export function voxelSizeIn(xml: string, setup: number): DescribedVoxel | undefined {
  let id: string | undefined
  let voxel: { size?: string; unit?: string } | undefined
  let isInVoxel = false
  for (const { name, isEnd, text } of xmlTags(xml)) {
    if (name === 'ViewSetup') {
      if (isEnd && /^\d+$/.test(id ?? '') && Number(id) === setup) return voxelOf(voxel)
      id = undefined
      voxel = undefined
    } else if (name === 'voxelSize') {
      isInVoxel = !isEnd
      if (!isEnd) voxel ??= {}
    } else if (isEnd) continue
    else if (name === 'id') id ??= text()
    else if (isInVoxel && name === 'size' && voxel !== undefined) voxel.size ??= text()
    else if (isInVoxel && name === 'unit' && voxel !== undefined) voxel.unit ??= text()
  }
  return undefined
}

function voxelOf(voxel: { readonly size?: string; readonly unit?: string } | undefined): DescribedVoxel | undefined {
  const size = (voxel?.size ?? '').split(/\s+/).map(Number)
  return size.length === 3 && size.every((length) => Number.isFinite(length) && length > 0)
    ? { size, unit: voxel?.unit ?? '' }
    : undefined
}
