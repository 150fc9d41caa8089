import { element, make, setText } from '../../shared/elements.ts'
import { LogSearch } from './log-search.ts'
import { LogSource } from './log-text.ts'

const FOLLOW_MS = 2000
/** How much of the log follows a marked place at first, bytes. */
const AFTER_MARK = 64 * 1024

/** A place in a log. */
export interface LogMark {
  /** Byte position in everything that was printed. */
  readonly at: number
  readonly text: string
}

/** The log of a worker: searched, followed while it grows, downloaded. */
export class LogDialog {
  readonly #dialog = element<HTMLDialogElement>('log')
  readonly #text = element('log-text')
  readonly #follow = element<HTMLInputElement>('log-follow')
  readonly #earlier = element<HTMLButtonElement>('log-earlier')
  readonly #search: LogSearch
  #source: LogSource | undefined
  #start = 0
  #end = 0
  #isBusy = false

  constructor() {
    // Makes it scrollable with the keyboard.
    this.#text.tabIndex = 0
    this.#search = new LogSearch(this.#text, element('log-search'), element('log-found'))
    element('log-close').addEventListener('click', () => this.#dialog.close())
    this.#earlier.addEventListener('click', () => void this.#loadEarlier())
    this.#follow.addEventListener('change', () => void this.#readOn())
    // A click beside it closes it.
    this.#dialog.addEventListener('click', ({ target }) => {
      if (target === this.#dialog) this.#dialog.close()
    })
    this.#dialog.addEventListener('close', () => {
      this.#source = undefined
    })
    setInterval(() => void this.#readOn(), FOLLOW_MS)
  }

  /** Shows the end of a log, or a place in it. */
  async open(workerId: string, mark?: LogMark): Promise<void> {
    const source = new LogSource(workerId)
    this.#source = source
    setText(element('log-title'), `Log of ${workerId}`)
    const download = element<HTMLAnchorElement>('log-download')
    download.href = source.address
    download.download = `${workerId}.log`
    this.#follow.checked = mark === undefined
    this.#text.replaceChildren()
    this.#search.clear()
    this.#start = this.#end = 0
    if (!this.#dialog.open) this.#dialog.showModal()
    const size = await this.#sizeOf(source)
    if (this.#source !== source) return
    if (size === undefined || size === 0) {
      this.#text.replaceChildren(make('i', {}, size === 0 ? 'The log is empty.' : 'There is no log.'))
      this.#showEarlier()
      return
    }
    await this.#fill(source, size, mark)
  }

  async #fill(source: LogSource, size: number, mark: LogMark | undefined): Promise<void> {
    const middle = Math.max(source.start, Math.min(size, mark?.at ?? size))
    const [before, after] = await Promise.all([
      source.before(middle),
      source.between(middle, Math.min(size, middle + AFTER_MARK)),
    ])
    if (this.#source !== source) return
    this.#start = before.start
    this.#end = after.end
    const line = mark === undefined ? undefined : make('mark', {}, mark.text)
    this.#text.replaceChildren(before.text, ...(line === undefined ? [] : [line]), after.text)
    this.#showEarlier()
    if (line === undefined) this.#text.scrollTop = this.#text.scrollHeight
    else line.scrollIntoView({ block: 'center' })
  }

  async #loadEarlier(): Promise<void> {
    const source = this.#source
    if (source === undefined) return
    const part = await source.before(this.#start)
    if (this.#source !== source) return
    const height = this.#text.scrollHeight
    this.#start = part.start
    this.#text.prepend(part.text)
    this.#text.normalize()
    this.#text.scrollTop += this.#text.scrollHeight - height
    this.#showEarlier()
    this.#search.refresh()
  }

  /** Appends what has been written since. */
  async #readOn(): Promise<void> {
    const source = this.#source
    if (source === undefined || !this.#follow.checked || this.#isBusy || document.hidden) return
    this.#isBusy = true
    try {
      const size = (await this.#sizeOf(source)) ?? 0
      if (this.#source !== source || size <= this.#end) return
      // If more was left out meanwhile than is shown, the first line of the log says so.
      const part = await source.between(Math.max(this.#end, source.start), size)
      if (this.#source !== source) return
      if (this.#end === 0) this.#text.replaceChildren()
      const isAtEnd = this.#text.scrollTop + this.#text.clientHeight >= this.#text.scrollHeight - 8
      this.#end = part.end
      this.#text.append(part.text)
      this.#text.normalize()
      if (isAtEnd) this.#text.scrollTop = this.#text.scrollHeight
      this.#search.refresh()
    } finally {
      this.#isBusy = false
    }
  }

  #showEarlier(): void {
    this.#earlier.hidden = this.#start <= (this.#source?.start ?? 0)
  }

  async #sizeOf(source: LogSource): Promise<number | undefined> {
    try {
      return await source.size()
    } catch {
      // The page already shows that bellis does not respond.
      return undefined
    }
  }
}
