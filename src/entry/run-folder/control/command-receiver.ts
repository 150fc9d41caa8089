import {
  closeSync,
  constants,
  type FSWatcher,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  watch,
} from 'node:fs'
import { parseCommand } from '../../../core/control/commands.ts'
import { toWireError } from '../../../core/errors.ts'
import { systemReason } from '../../../core/system-errors.ts'
import type { CarryOut } from '../../../ports/command-source.ts'
import { replaceFile } from '../run-files.ts'
import { answerFile, type ControlAnswer, controlFolder, requestFile, requestId } from './control-folder.ts'

/** How often the folder is read if the system does not report changes, as for changes by another machine. */
const LOOK_MS = 1000
const MAX_BYTES = 65_536
const ROOT = 0
// Windows has neither flag.
const READ = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)

/**
 * Receives the commands that are put into a run's folder. What an earlier start left there is removed, so that no command reaches another
 * start than it was meant for.
 * @param warn called if the run can't be controlled; it can run nevertheless
 */
export function receiveCommands(runFolder: string, carryOut: CarryOut, warn: (message: string) => void): Disposable {
  const folder = controlFolder(runFolder)
  try {
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder, { mode: 0o700 })
    const receiver = new CommandReceiver(folder, lstatSync(folder).uid, carryOut)
    receiver.listen()
    return receiver
  } catch (error) {
    warn(`this run can't be controlled by other commands, since ${folder} can't be used: ${systemReason(error)}`)
    return { [Symbol.dispose]() {} }
  }
}

class CommandReceiver implements Disposable {
  readonly #folder: string
  /** The user to whom the folder belongs. */
  readonly #owner: number
  readonly #carryOut: CarryOut
  #watcher: FSWatcher | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(folder: string, owner: number, carryOut: CarryOut) {
    this.#folder = folder
    this.#owner = owner
    this.#carryOut = carryOut
  }

  listen(): void {
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref()
    try {
      this.#watcher = watch(this.#folder, () => this.#look())
      this.#watcher.on('error', () => {})
      this.#watcher.unref()
    } catch {
      // The system watches too many files already: the timer suffices.
    }
  }

  #look(): void {
    let names: readonly string[]
    try {
      names = readdirSync(this.#folder)
    } catch {
      return
    }
    for (const name of names) {
      const id = requestId(name)
      const text = id === undefined ? undefined : this.#take(requestFile(this.#folder, id))
      if (id !== undefined && text !== undefined) void this.#answer(id, text)
    }
  }

  /** Removes the file before anything is done, so that nothing is done twice. @returns undefined if it is no file of this user */
  #take(path: string): string | undefined {
    try {
      const file = openSync(path, READ)
      try {
        const stat = fstatSync(file)
        const isOwn = stat.uid === this.#owner || stat.uid === ROOT
        const text = isOwn && stat.isFile() && stat.size <= MAX_BYTES ? readFileSync(file, 'utf8') : undefined
        rmSync(path)
        return text
      } finally {
        closeSync(file)
      }
    } catch {
      return undefined
    }
  }

  async #answer(id: string, text: string): Promise<void> {
    let answer: ControlAnswer
    try {
      answer = { status: 'done', event: await this.#carryOut(parseCommand(JSON.parse(text))) }
    } catch (error) {
      const { code, message } = toWireError(error, 'INVALID_CONFIG')
      answer = { status: 'refused', error: { code, message } }
    }
    try {
      replaceFile(answerFile(this.#folder, id), JSON.stringify(answer), { mode: 0o600 })
    } catch {
      // The run has ended, and with it the folder. The sender notices that.
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.#watcher?.close()
    try {
      rmSync(this.#folder, { recursive: true, force: true })
    } catch {
      // A file was created at this moment; the next start removes it.
    }
  }
}
