import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { CONTROL, type Control, JOURNAL } from './preload/control.ts'

/** The environment of commands that obey a control file. @param journal folder for what they have not synced */
export function disturbedEnvironment(control: string, journal: string | undefined): NodeJS.ProcessEnv {
  const preload = new URL('preload/disturb.ts', import.meta.url).href
  return {
    NODE_OPTIONS: `--import ${preload}`,
    [CONTROL]: control,
    ...(journal === undefined ? {} : { [JOURNAL]: journal }),
  }
}

/** Tells the processes of a round what to do; undefined: nothing. */
export function tell(file: string, control: Control | undefined): void {
  if (control === undefined) {
    rmSync(file, { force: true })
    return
  }
  writeFileSync(`${file}.next`, JSON.stringify(control))
  renameSync(`${file}.next`, file)
}
