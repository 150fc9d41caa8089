import { ConfigError } from '../../core/errors.ts'
import { ownModule } from '../package-place.ts'

/** In place of a module: the blocks of a task are done by functions of the program that has started the run. No worker loads it. */
export const PARENT_MODULE = ownModule('entry/parent/roi-task')

/** Why a worker can't do the blocks of such a task. @param name of the task */
export const notOurFunction = (name: string): ConfigError =>
  new ConfigError(
    'UNSUPPORTED',
    `The blocks of task "${name}" are done by functions of the program that started the run, which this worker does not have; run.command of a run in Python is what starts one that has them (docs/PYTHON.md).`,
  )
