import { Command } from 'commander'
import type { PipelineDefinition, TaskDefinition } from '../../../../runtime/tasks/define-task.ts'
import { findDefinition } from '../../../../runtime/worker/load-task.ts'
import { findModule, offerOwnPackage } from '../../../workers/own-package.ts'
import { GROUPS, runOptions } from '../../options.ts'
import { strict } from '../../strict.ts'
import { type ConfigField, configFields } from './config-flags.ts'

/** The options of `bellis run` besides the fields of a configuration. */
export const moduleOptions = (command: Command): Command =>
  strict(
    runOptions(
      command
        .optionsGroup(GROUPS.task)
        .option('--task <name>', 'task or pipeline to run, if the module exports several')
        .option('--config <file>', 'JSON file with fields of the configuration'),
    ),
  )

export interface ModuleFields {
  readonly definition: TaskDefinition | PipelineDefinition
  /** Its name. */
  readonly what: string
  readonly fields: readonly ConfigField[]
}

/**
 * Loads the task or pipeline that a module exports, and the fields of its configuration as flags.
 * @param file as the user names it
 * @param task which one, if there are several
 * @throws what loading the module throws
 */
export async function fieldsOf(file: string, task: string | undefined): Promise<ModuleFields> {
  offerOwnPackage()
  const definition = await findDefinition(findModule(file, process.cwd()), task)
  const what = definition.options.name ?? 'pipeline'
  return { definition, what, fields: configFields(definition.options.config, moduleOptions(new Command()), what) }
}
