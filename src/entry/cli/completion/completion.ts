import { Argument, Command } from 'commander'
import { type CommonOptions, commonOptions } from '../options.ts'
import { printJson } from '../output.ts'
import { SCRIPTS, type Shell } from './shell-scripts.ts'

const SHELLS = Object.keys(SCRIPTS) as Shell[]

/** `bellis completion` */
export function completionCommand(): Command {
  const command = new Command('completion')
    .description('Prints a script with which a shell completes commands, flags, values, runs and datasets.')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
  return commonOptions(command)
    .addHelpText(
      'after',
      `
To complete in every new shell:
  bash  add to ~/.bashrc:  source <(bellis completion bash)
  zsh   add to ~/.zshrc, after compinit:  source <(bellis completion zsh)
  fish  run once:  bellis completion fish > ~/.config/fish/completions/bellis.fish

Example:
  $ bellis completion bash`,
    )
    .action((shell: Shell, flags: CommonOptions) => {
      if (flags.json) printJson({ shell, script: SCRIPTS[shell] })
      else process.stdout.write(SCRIPTS[shell])
    })
}
