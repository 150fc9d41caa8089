import { Command } from 'commander'
import type { ControlCommand } from '../../../core/control/commands.ts'
import { describeControl } from '../../../core/control/control-text.ts'
import { ConfigError, messageOf } from '../../../core/errors.ts'
import { sendCommand } from '../../run-folder/control/send-command.ts'
import { RunFollower } from '../../run-folder/history/run-follower.ts'
import { findRunFolder } from '../../run-folder/run-context.ts'
import { runsHome } from '../../run-folder/run-place.ts'
import { RUN_ARGUMENT } from '../options.ts'
import { FullScreen } from './screen.ts'
import { keysIn, NO_PROMPT, type Prompt, pressKey } from './top-keys.ts'
import { topLines } from './top-lines.ts'

interface TopFlags {
  readonly runDir?: string
  readonly db?: string
}

const LOOK_MS = 1000
/** How long it stays visible what a key did. */
const MESSAGE_MS = 8000

/** `bellis top` */
export function topCommand(): Command {
  return new Command('top')
    .description(
      'Shows a run on the whole terminal while it is running: its tasks, workers and failures, with keys to steer it.',
    )
    .argument('<run>', RUN_ARGUMENT)
    .option('--run-dir <folder>', 'folder that contains the runs (default: .bellis)')
    .option(
      '--db <url>',
      'progress database URL, including credentials (default: the URL recorded with the run, with credentials from BELLIS_DB)',
    )
    .addHelpText(
      'after',
      `
Keys: s stops the run, w changes its number of workers, r has failed blocks tried again, q leaves; the run goes on.

Example:
  $ bellis top last`,
    )
    .action(showTop)
}

async function showTop(run: string, { runDir, db }: TopFlags): Promise<void> {
  const folder = findRunFolder(run, runsHome(runDir))
  if (!process.stdout.isTTY || !process.stdin.isTTY) {
    throw new ConfigError(
      'INVALID_CONFIG',
      'bellis top: expected a terminal; elsewhere, use bellis status RUN --watch.',
    )
  }
  using follower = new RunFollower(folder, { place: db })
  await follower.catchUp()
  await new TopSession(follower).run()
}

/** One look at a run, until the user leaves. */
class TopSession {
  readonly #follower: RunFollower
  readonly #screen: FullScreen
  readonly #left = Promise.withResolvers<void>()
  #prompt: Prompt = NO_PROMPT
  #message = { text: '', until: 0 }

  constructor(follower: RunFollower) {
    this.#follower = follower
    this.#screen = new FullScreen(
      (text) => this.#type(text),
      () => this.#draw(),
    )
  }

  async run(): Promise<void> {
    using screen = this.#screen
    screen.open()
    this.#draw()
    const looking = setInterval(() => void this.#look(), LOOK_MS)
    try {
      await this.#left.promise
    } finally {
      clearInterval(looking)
    }
  }

  async #look(): Promise<void> {
    try {
      await this.#follower.catchUp()
      this.#draw()
    } catch (error) {
      this.#left.reject(error)
    }
  }

  #draw(): void {
    const follower = this.#follower
    const message = performance.now() < this.#message.until ? this.#message.text : ''
    const summary = follower.picture.summary(follower.now(), 0)
    const view = { run: follower.run, summary, prompt: this.#prompt, message }
    this.#screen.draw(topLines(view, { ...this.#screen.size, stream: process.stdout }))
  }

  #type(text: string): void {
    for (const key of keysIn(text)) {
      const { prompt, command, leaves, complaint } = pressKey(this.#prompt, key)
      this.#prompt = prompt
      if (leaves) this.#left.resolve()
      if (complaint !== undefined) this.#say(complaint)
      if (command !== undefined) void this.#send(command)
    }
    this.#draw()
  }

  async #send(command: ControlCommand): Promise<void> {
    this.#say('Asking the run …')
    try {
      this.#say(`${describeControl(await sendCommand(this.#follower.folder, command))}.`)
    } catch (error) {
      this.#say(messageOf(error))
    }
    this.#draw()
  }

  #say(text: string): void {
    this.#message = { text, until: performance.now() + MESSAGE_MS }
  }
}
