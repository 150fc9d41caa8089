import { join } from 'node:path'
import type { WireError } from '../../../core/errors.ts'
import type { ControlEvent } from '../../../core/events.ts'

// Commands for a running run are files in a folder that only its user can enter. This needs no port and no secret, has no limit to the
// length of a path, and works from every machine that sees the folder.

/** The folder for commands, inside the folder of a running run. */
export const controlFolder = (runFolder: string): string => join(runFolder, 'control')

/** The file of a command; its name ends like this only when it is complete. */
export const requestFile = (folder: string, id: string): string => join(folder, `${id}.request`)

/** The file of the answer. */
export const answerFile = (folder: string, id: string): string => join(folder, `${id}.answer`)

/** The id in the name of a command's file; undefined for other files. */
export const requestId = (name: string): string | undefined => /^([\w-]{1,64})\.request$/.exec(name)?.[1]

/** The answer to a command. */
export type ControlAnswer =
  | { readonly status: 'done'; readonly event: ControlEvent }
  | { readonly status: 'refused'; readonly error: WireError }
