import { ConfigError } from '../../core/errors.ts'
import type { PlannedPipeline } from '../../runtime/tasks/planned-task.ts'
import { arrayStore, packedArrays, parseDatasetPath } from '../arrays.ts'
import { isPacked, type PackedFile, packedFile } from './packed-file.ts'

/** The files that outputs of a run are part of, one for each. */
export function filesOf({ tasks }: PlannedPipeline): readonly PackedFile[] {
  const files = new Map<string, PackedFile>()
  for (const { path } of tasks.flatMap(({ outputs }) => outputs)) {
    const file = packedFile(parseDatasetPath(path))
    if (file !== undefined) files.set(file.path, file)
  }
  return [...files.values()]
}

/** The outputs of a run that replace what is there. */
export const replacedOutputs = ({ tasks }: PlannedPipeline): readonly string[] =>
  tasks
    .flatMap(({ outputs }) => outputs)
    .filter(({ options }) => options.ifExists === 'replace')
    .map(({ path }) => path)

/**
 * Refuses a run that would replace a file with arrays that it doesn't write: they would be lost.
 * @throws ConfigError `DATASET_EXISTS`; what listing a file throws
 */
export async function assertNothingLost(pipeline: PlannedPipeline): Promise<void> {
  const written = replacedOutputs(pipeline).map((path) => arrayStore.canonicalPath(path))
  for (const file of filesOf(pipeline)) {
    if (!isPacked(file)) continue
    const place = arrayStore.canonicalPath(file.path)
    const own = written.filter((path) => path.startsWith(place)).map((path) => path.slice(place.length + 1))
    if (own.length === 0) continue
    const first = (await packedArrays.arraysIn(file)).find((inner) => !own.includes(inner))
    if (first !== undefined) {
      throw new ConfigError(
        'DATASET_EXISTS',
        `${file.path} has other arrays, too, such as ${first}, which would be lost: such files are written once; write to another file.`,
      )
    }
    const [other] = await packedArrays.othersIn(file, own)
    if (other === undefined) continue
    throw new ConfigError(
      'DATASET_EXISTS',
      `${file.path} has more than what is replaced, such as ${other}, which would be lost: such files are written once; write to another file, or remove this one if nothing in it is needed.`,
    )
  }
}
