/** The files with the metadata of arrays and groups, and of containers. */
export const METADATA_FILES: readonly string[] = ['zarr.json', '.zarray', '.zgroup', '.zattrs', '.zmetadata']

/** The first name of a chunk's key: of either version, with either separator. */
const CHUNK = /^(c|c[./]\d.*|\d+(\.\d+)*)$/

/**
 * Whether a file in a container belongs to an array: its metadata, its chunks, and what programs keep in files whose names start with a dot;
 * not another array or group in it.
 * @param key of the array
 */
export function isPartOfArray(name: string, key: string): boolean {
  if (key !== '' && !name.startsWith(`${key}/`)) return false
  const names = (key === '' ? name : name.slice(key.length + 1)).split('/')
  const [first = '', ...below] = names
  if (below.length === 0 && METADATA_FILES.includes(first)) return true
  return first.startsWith('.') || (CHUNK.test(first) && below.every((part) => !METADATA_FILES.includes(part)))
}
