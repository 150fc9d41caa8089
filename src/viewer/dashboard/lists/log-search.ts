import { setText } from '../../shared/elements.ts'

/** Further places are not marked. */
const MAX_FOUND = 5000

/** Marks the places of a text in an element, and goes from one to the next. */
export class LogSearch {
  readonly #text: HTMLElement
  readonly #input: HTMLInputElement
  readonly #status: HTMLElement
  #found: Range[] = []
  #at = -1

  constructor(text: HTMLElement, input: HTMLInputElement, status: HTMLElement) {
    this.#text = text
    this.#input = input
    this.#status = status
    input.addEventListener('input', () => {
      this.refresh()
      this.#go(this.#found.length - 1)
    })
    input.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter') return
      event.preventDefault()
      this.#go(this.#at + (event.shiftKey ? -1 : 1))
    })
  }

  clear(): void {
    this.#input.value = ''
    this.refresh()
  }

  /** The text has changed. */
  refresh(): void {
    const wanted = this.#input.value.toLowerCase()
    this.#found = wanted === '' ? [] : [...places(this.#text, wanted)]
    this.#at = Math.min(this.#at, this.#found.length - 1)
    this.#show()
  }

  /** Goes to a place; the first one follows the last. */
  #go(at: number): void {
    const count = this.#found.length
    this.#at = count === 0 ? -1 : (at + count) % count
    this.#show()
    const place = this.#found[this.#at]?.getBoundingClientRect()
    const { top, height } = this.#text.getBoundingClientRect()
    if (place !== undefined) this.#text.scrollTop += place.top - top - height / 2
  }

  #show(): void {
    const count = this.#found.length
    const nothing = this.#input.value === '' ? '' : 'not found'
    setText(this.#status, count === 0 ? nothing : `${this.#at + 1} of ${count}`)
    // Browsers without highlights still go to the places.
    if (!('highlights' in CSS)) return
    CSS.highlights.set('found', new Highlight(...this.#found))
    const current = this.#found[this.#at]
    CSS.highlights.set('current', current === undefined ? new Highlight() : new Highlight(current))
  }
}

function* places(text: HTMLElement, wanted: string): Generator<Range> {
  let count = 0
  const walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT)
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    const own = (node.textContent ?? '').toLowerCase()
    for (let at = own.indexOf(wanted); at >= 0; at = own.indexOf(wanted, at + wanted.length)) {
      if (++count > MAX_FOUND) return
      const range = document.createRange()
      range.setStart(node, at)
      range.setEnd(node, at + wanted.length)
      yield range
    }
  }
}
