import { arrayStore, parseDatasetPath } from '../entry/arrays.ts'
import { ConfigError, openArray, type TaskNode } from '../entry/index.ts'
import { convert } from './convert.ts'

/** More arrays than this are not copied in one run: each is a task. */
const MAX_ARRAYS = 1000

/** Options of {@link convertGroup}: those of `convert`. */
export type ConvertGroupConfig = Parameters<typeof convert>[0]

/**
 * The tasks that copy a Zarr group with all its arrays, and what OME-NGFF says about them: channels, pyramids, labels, plates and
 * wells. For an array, or where only an array can be meant (a region of it, another format to write, another placement), the one task
 * that copies it.
 * @throws ConfigError `OUTPUT_CONFLICT` if the output lies in the input, `UNSUPPORTED` for more than 1000 arrays; what opening the input throws
 */
export async function convertGroup(config: ConvertGroupConfig): Promise<TaskNode[]> {
  const paths = await arraysOf(config)
  if (paths === undefined) return [convert(config)]
  const { container, inner } = parseDatasetPath(config.input)
  const ids = new Set<string>()
  return paths.map((below, index) => {
    const id = uniqueId(`convert-${below.replace(/[^\w.-]+/g, '-')}`, ids)
    const own = { ...config, input: joined(config.input, below), output: joined(config.output, below) }
    return convert(index === 0 ? { ...own, groupsLike: { container, inner, below } } : own, { id })
  })
}

/** The paths of the arrays below a group that is to be copied as a whole; undefined if only one array is. */
async function arraysOf({ input, output, roi }: ConvertGroupConfig): Promise<string[] | undefined> {
  if (roi !== undefined || /[#?]/.test(input)) return undefined
  const source = parseDatasetPath(input)
  if (source.format.name !== 'zarr' || parseDatasetPath(output).format.name !== 'zarr') return undefined
  if (!(await isGroup(input, source.inner))) return undefined
  const nodes = await source.format.list(source.container, source.inner, { limit: 10 * MAX_ARRAYS })
  const start = source.inner === '' ? 0 : source.inner.length + 1
  const paths = nodes.filter(({ kind }) => kind === 'array').map(({ path }) => path.slice(start))
  if (paths.length === 0) return undefined
  if (paths.length > MAX_ARRAYS) {
    throw new ConfigError(
      'UNSUPPORTED',
      `${input} has more than ${MAX_ARRAYS} arrays, and each would be a task; convert its groups one after the other, the first array is ${joined(input, paths[0] as string)}.`,
    )
  }
  if (`${arrayStore.canonicalPath(output)}/`.startsWith(`${arrayStore.canonicalPath(input)}/`)) {
    throw new ConfigError(
      'OUTPUT_CONFLICT',
      `${output} lies in ${input}, which would be copied; write to another container.`,
    )
  }
  return paths
}

/** Whether a path opens as an array below it, or as none. @param inner its part in the container */
async function isGroup(input: string, inner: string): Promise<boolean> {
  try {
    await using array = await openArray(input)
    return parseDatasetPath(array.path).inner !== inner
  } catch (error) {
    if (error instanceof ConfigError && error.code === 'NOT_A_DATASET') return true
    throw error
  }
}

const joined = (path: string, below: string): string => `${path.replace(/\/+$/, '')}/${below}`

function uniqueId(wanted: string, ids: Set<string>): string {
  let id = wanted
  for (let count = 2; ids.has(id); count++) id = `${wanted}-${count}`
  ids.add(id)
  return id
}
