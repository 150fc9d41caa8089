import type { Note, RunSummary } from '../../../core/board/summary.ts'
import { make } from '../../shared/elements.ts'
import { showTime } from '../text.ts'

/** Other events. */
export class NoteList {
  readonly #panel: HTMLElement
  #shown: string | undefined

  constructor(panel: HTMLElement) {
    this.#panel = panel
  }

  update({ notes, started }: RunSummary): void {
    const key = `${notes.length} ${notes[0]?.time} ${notes[0]?.text}`
    if (key === this.#shown) return
    this.#shown = key
    this.#panel.replaceChildren(
      notes.length === 0
        ? make('p', { class: 'empty' }, 'Nothing unusual has happened.')
        : make('ul', { class: 'rows' }, ...notes.map((note) => this.#row(note, started))),
    )
  }

  #row({ time, text }: Note, started?: number): HTMLElement {
    const at = make('time', { datetime: new Date(time).toISOString() }, showTime(time, started))
    return make('li', { class: 'note' }, at, make('p', {}, text))
  }
}
