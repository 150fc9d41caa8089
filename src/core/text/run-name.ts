/** The most characters of a pipeline's name, and of an output, in the name of a run. */
export const MAX_PART = 28

/**
 * The readable part of a run's name: what runs, and what it writes. `smooth` and `/data/out.zarr/volumes/s` give `smooth-out-s`. It has
 * only ASCII letters, digits, `_`, `+` and single hyphens, so that it is one word in a shell and a name in any file system.
 * @param output the array that it writes, if it declares one
 */
export const runName = (name: string, output: string | undefined): string =>
  [plain(name) || 'run', ...(output === undefined ? [] : outputWords(output))].filter((part) => part !== '').join('-')

/** The digits at the end of a run's name, which tell it from all others: its name may begin otherwise later. */
export const digitsOfRun = (name: string): string | undefined => /-[0-9a-f]{8}$/.exec(name)?.[0]

/** Whether two names are those of one run. */
export const isSameRunName = (a: string, b: string): boolean =>
  a === b || (digitsOfRun(a) !== undefined && digitsOfRun(a) === digitsOfRun(b))

/** The container and the array in it; what lies between them rarely tells runs apart. */
function outputWords(path: string): string[] {
  const parts = path.split(/[\\/]+/).filter((part) => !['', '.', '..'].includes(part) && !SCALE.test(part))
  const start = parts.findIndex((part) => CONTAINER.test(part))
  const [first = '', last = ''] = start === -1 ? [parts.at(-1)] : [parts[start], parts.slice(start + 1).at(-1)]
  const words = [first.replace(CONTAINER, ''), last].map(plain).filter((part) => part !== '')
  return words.length === 0 ? [] : [trimmed([...new Set(words)].join('-').slice(0, MAX_PART))]
}

const CONTAINER = /\.(zarr|n5|precomputed|hdf5?|h5)$/i
/** A scale of a precomputed volume, which is named after its voxel size: `4_4_40`. */
const SCALE = /^\d+(\.\d+)?(_\d+(\.\d+)?){2}$/

const plain = (text: string): string =>
  trimmed(
    text
      .normalize('NFKD')
      .replaceAll(/\p{Mark}/gu, '')
      .replaceAll(/[^A-Za-z0-9_+]+/g, '-')
      .slice(0, MAX_PART),
  )

const trimmed = (text: string): string => text.replaceAll(/^[-+]+|[-+]+$/g, '')
