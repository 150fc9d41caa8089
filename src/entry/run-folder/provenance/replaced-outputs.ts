import { resolve } from 'node:path'
import { isAddress } from '../../../core/text/address.ts'
import { showTime } from '../../../core/text/local-time.ts'
import { arrayStore } from '../../arrays.ts'
import { ownCommand } from '../../own-command.ts'
import { isMarkOf, readMark } from '../output-mark.ts'
import { absolutePath, keptOutputs } from '../run-place.ts'
import type { RunState } from '../run-state.ts'

/** An output of a run that another run has written since. */
export interface ReplacedOutput {
  readonly path: string
  /** The run that has replaced it; empty if its mark does not say. */
  readonly run: string
  /** When that run began to write it, ISO. */
  readonly started?: string
}

/** The outputs of a run that is not running that are those of other runs by now, as far as files of this machine tell. Never fails. */
export async function replacedOutputs({ folder, run, document, holder, record }: RunState): Promise<ReplacedOutput[]> {
  if (holder !== undefined) return []
  const own = { run, folder: arrayStore.canonicalPath(resolve(folder)), id: record }
  const found: ReplacedOutput[] = []
  for (const path of keptOutputs(document.tasks)) {
    const place = absolutePath(path, document.directory)
    if (isAddress(place)) continue
    const mark = await readMark(place).catch(() => undefined)
    if (mark === undefined || isMarkOf(mark, own)) continue
    found.push({ path, run: mark.run, ...(mark.started === undefined ? {} : { started: mark.started }) })
  }
  return found
}

/** What replaced outputs, in few words: `replaced by smooth-raw-1a2b3c4d`. */
export function showReplaced(replaced: readonly ReplacedOutput[]): string {
  const runs = [...new Set(replaced.map(({ run }) => (run === '' ? 'another run' : run)))]
  return `replaced by ${runs.join(', ')}`
}

/** The same in full, with the command that makes them again. */
export function describeReplaced(replaced: readonly ReplacedOutput[], folder: string): string {
  const outputs = replaced.map((output) => {
    const when = showTime(output.started ?? '')
    return `${output.path} was ${showReplaced([output])}${when === '' ? '' : `, started ${when}`}`
  })
  const again = ownCommand('resume', folder, '--', '--overwrite')
  return `${outputs.join('; ')}: what this run has done is no longer there. To make it again: ${again}`
}
