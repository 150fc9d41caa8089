import type { DashboardView } from '../../../core/board/summary.ts'
import { element, make } from '../../shared/elements.ts'

/** The choice of the one image that is shown where there is no room for all. */
export class VolumeTabs {
  readonly #list = element('volume-tabs')
  readonly #onChoose: (layer: number) => void
  #shown = ''

  constructor(onChoose: (layer: number) => void) {
    this.#onChoose = onChoose
  }

  /** @param tabs numbers of layers; hidden if there are none */
  show({ layers }: DashboardView, tabs: readonly number[], chosen: number | undefined): void {
    const key = JSON.stringify([tabs.map((layer) => layers[layer]?.name), chosen])
    if (key === this.#shown) return
    this.#shown = key
    this.#list.hidden = tabs.length === 0
    const choices = tabs.map((layer) => {
      const input = make('input', { type: 'radio', name: 'volume', checked: layer === chosen })
      input.addEventListener('change', () => this.#onChoose(layer))
      return make('label', {}, input, make('span', {}, layers[layer]?.name ?? ''))
    })
    this.#list.replaceChildren(make('legend', {}, 'Volume'), ...choices)
  }
}
