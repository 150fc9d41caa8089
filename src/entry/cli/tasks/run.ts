import { Command } from 'commander'
import { ConfigError } from '../../../core/errors.ts'
import { given } from '../../../core/given.ts'
import { isPipelineDefinition } from '../../../runtime/tasks/define-task.ts'
import { nameTasks } from '../../../runtime/tasks/pipeline-name.ts'
import { parseConfig } from '../../../runtime/tasks/task-config.ts'
import { asTasks } from '../../../runtime/tasks/task-like.ts'
import { isTaskNode, type TaskLike } from '../../../runtime/tasks/task-node.ts'
import { importTask } from '../../../runtime/worker/load-task.ts'
import { watchUserCode } from '../../workers/user-code.ts'
import type { RunFlags } from '../options.ts'
import { warn } from '../output.ts'
import { strict } from '../strict.ts'
import { addConfigOptions, givenConfig, strayVariables } from './config/config-flags.ts'
import { fieldsOf, moduleOptions } from './config/module-fields.ts'
import { runTasks } from './run-tasks.ts'

interface ModuleFlags extends RunFlags {
  readonly task?: string
  readonly config?: string
}

/** `bellis run` @param always flags that override the user's */
export function runCommand(always: RunFlags = {}): Command {
  // The flags depend on the module: `runModule` parses them once it has loaded it.
  return new Command('run')
    .description('Runs a task or pipeline of your own that a module exports.')
    .helpOption(false)
    .allowUnknownOption()
    .allowExcessArguments()
    .action((_flags: object, command: Command) => runModule(command.args, always, `bellis ${pathOf(command)}`))
}

const pathOf = (command: Command): string =>
  command.parent?.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name()

/**
 * Runs the task or pipeline that a module exports, or prints its plan.
 * @param words everything after the command's name
 * @param name of the command, for its help
 */
export async function runModule(words: readonly string[], always: RunFlags, name: string): Promise<void> {
  const before = moduleOptions(new Command(name))
    .description('Runs the task or pipeline that a module exports. The fields of its configuration are flags.')
    .usage('FILE.ts [options]')
    .argument('[file]')
    .argument('[more...]')
    .passThroughOptions()
    .allowUnknownOption()
    .addHelpText(
      'after',
      `
FILE.ts is a file or a module of an installed package: some-package/task, bellis/tasks.
"${name} FILE.ts --help" shows the fields of its configuration.

Example:
  $ ${name} smooth.ts --input sample.hdf/volumes/raw --output out.zarr/volumes/own --sigma 1.5 --workers 2`,
    )
    .parse(words, { from: 'user' })
  const [file, ...rest] = before.args
  if (file === undefined) return before.help()
  if (file.startsWith('-')) {
    throw new ConfigError('INVALID_CONFIG', `${file}: expected the file first; write ${name} FILE.ts ${file} …`)
  }
  // Anything that the module has left open must not keep the process running.
  using _ = { [Symbol.dispose]: () => void setImmediate(() => process.stdout.write('', () => process.exit())) }
  using watch = watchUserCode({ isQuiet: true, print: (text) => process.stderr.write(`bellis: ${text}\n`) })
  const { task = before.opts<ModuleFlags>().task } = peek(rest)
  const { definition, what, fields } = await watch.guard(() => fieldsOf(file, task))
  const { config: schema } = definition.options
  const command = new Command(`${name} ${file}`).usage('[options]')
  addConfigOptions(command, fields)
  moduleOptions(command)
    .description(`${isPipelineDefinition(definition) ? 'Pipeline' : 'Task'} "${what}" of ${file}.`)
    .addHelpText(
      'after',
      `
A field without a flag is taken from the environment (${fields[0]?.variable ?? 'BELLIS_CONFIG_<FIELD>'}), then from the file of --config, then from its default.
Lists are separated by commas; nested values are JSON.`,
    )
    .parse(rest, { from: 'user' })
  const flags: ModuleFlags = { ...before.opts(), ...givenFlags(command), ...always }
  for (const variable of strayVariables(fields, process.env)) {
    warn(flags, `${variable} is set, but "${what}" has no such field.`)
  }
  const { values, nameOf } = givenConfig(fields, command, flags.config, process.env)
  parseConfig(schema, values, what, nameOf)
  const made = definition(values)
  const listed = asTasks('kind' in made ? [made] : made, `The result of pipeline "${what}"`)
  const nodes = nameTasks(listed, isPipelineDefinition(definition) ? definition.options.name : undefined)
  await checkExports(nodes)
  await runTasks(nodes, flags, { watch })
}

/** A task's flags are known only once the task is known, so --task is read first. */
const peek = (words: readonly string[]): { readonly task?: string } =>
  strict(new Command().option('--task <name>').helpOption(false).allowUnknownOption().allowExcessArguments())
    .parse(words, { from: 'user' })
    .opts()

/** Only the flags that were given: defaults of the second parsing must not override values of the first. */
const givenFlags = (command: Command): RunFlags =>
  given(
    Object.fromEntries(Object.entries(command.opts()).filter(([key]) => command.getOptionValueSource(key) === 'cli')),
  )

/** Workers find tasks among the exports of the files that define them. @throws ConfigError if one would not be found */
async function checkExports(nodes: readonly TaskLike[], checked = new Set<TaskLike>()): Promise<void> {
  for (const node of nodes) {
    if (!isTaskNode(node) || checked.has(node)) continue
    checked.add(node)
    const { module, options } = node.definition
    await importTask(module, options.name)
    await checkExports(node.after, checked)
  }
}
