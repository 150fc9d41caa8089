import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { Option } from 'commander'
import {
  killProgramsOf,
  newWorkerKey,
  programEnvironment,
  WORKER_KEY_VARIABLE,
} from '../../../adapters/files/left-programs.ts'
import { ownModule } from '../../../runtime/package-place.ts'

/** A flag of a field, as one process tells it to another. */
export interface ModuleFlag {
  /** `--sigma <number>`, as for commander */
  readonly flags: string
  readonly description: string
  readonly choices?: readonly string[]
  readonly isHidden: boolean
}

/**
 * The flags that a module's task or pipeline declares.
 * The module is loaded in a process of its own: what it prints is dropped, and it ends, with all programs that it has started, as soon
 * as the flags are known, or when `signal` is aborted.
 * @param file as the user names it: a file, or a module of an installed package
 * @param options `task`: which one, if the module exports several; `signal`: ends the loading
 * @returns none if it can't be loaded in time
 */
export async function flagsOfModule(
  file: string,
  { task, signal }: { readonly task?: string | undefined; readonly signal: AbortSignal },
): Promise<Option[]> {
  const key = newWorkerKey()
  const program = fileURLToPath(ownModule('entry/cli/completion/module-flags-program'))
  const child = spawn(process.execPath, [program, file, ...(task === undefined ? [] : [task])], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    env: programEnvironment({ ...process.env, [WORKER_KEY_VARIABLE]: key }),
  })
  try {
    const answer = await new Promise<unknown>((resolve) => {
      for (const event of ['error', 'exit']) child.once(event, () => resolve([]))
      child.once('message', resolve)
      if (signal.aborted) resolve([])
      signal.addEventListener('abort', () => resolve([]))
    })
    return Array.isArray(answer) ? answer.filter(isModuleFlag).map(optionOf) : []
  } finally {
    child.kill('SIGKILL')
    killProgramsOf(new Set([key]))
  }
}

/** The module could have sent something itself. */
function isModuleFlag(value: unknown): value is ModuleFlag {
  const { flags, description, choices = [] } = (value ?? {}) as Partial<ModuleFlag>
  const texts: readonly unknown[] = [flags, description, ...(Array.isArray(choices) ? choices : [undefined])]
  return texts.every((text) => typeof text === 'string') && /^--[\w-]+( <[^<>]+>)?$/.test(flags as string)
}

function optionOf({ flags, description, choices, isHidden }: ModuleFlag): Option {
  // Any text may be a path, and most are.
  const option = new Option(flags.replace('<text>', '<dataset>'), description).hideHelp(isHidden)
  return choices === undefined ? option : option.choices(choices)
}
