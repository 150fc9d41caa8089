import type { DashboardView, OutputLayer } from '../../../core/board/summary.ts'
import { element } from '../../shared/elements.ts'
import type { Theme } from '../../shared/theme.ts'
import { HAS_WEBGL } from '../pace.ts'
import type { RunModel } from '../run-model.ts'
import type { VolumePanel } from './volume-panel.ts'

/** The part of the page that shows volumes. Neuroglancer is loaded once there are some. */
export class Volumes {
  readonly #model: RunModel
  #panel: VolumePanel | undefined
  #view: DashboardView | undefined
  #version = -1
  #isRunning = true
  #wanted = -1
  #isLoading = false

  constructor(model: RunModel) {
    this.#model = model
    const overlay = element<HTMLInputElement>('overlay')
    const follow = element<HTMLInputElement>('follow')
    overlay.addEventListener('change', () => this.#panel?.setOverlay(overlay.checked))
    follow.addEventListener('change', () => this.#panel?.setFollowing(follow.checked))
  }

  written(task: number, start: number, end: number): void {
    this.#panel?.written(task, start, end)
  }

  setRunning(isRunning: boolean): void {
    this.#isRunning = isRunning
    this.#panel?.setRunning(isRunning)
  }

  recolor(): void {
    this.#panel?.setTheme(theme())
  }

  /** What a task writes, once it is known. */
  outputOf(task: number): OutputLayer | undefined {
    return this.#view?.outputs.find((output) => output.task === task)
  }

  /** Goes to a block of a task in its volume; undefined while that is not shown. */
  flightTo(task: number): ((index: number) => void) | undefined {
    if (!this.#shows(task)) return undefined
    return (index) => {
      this.flyTo(task, index)
      element('volume').scrollIntoView({ block: 'nearest' })
    }
  }

  /** Goes to a block of a task in its volume, if that is shown, and leaves the page where it is. */
  flyTo(task: number, index: number): void {
    if (!this.#shows(task)) return
    this.#stopFollowing()
    this.#panel?.flyTo(task, index)
  }

  #shows(task: number): boolean {
    return this.#panel !== undefined && this.outputOf(task) !== undefined
  }

  #stopFollowing(): void {
    element<HTMLInputElement>('follow').checked = false
    this.#panel?.setFollowing(false)
  }

  /** @param version changes if there is more to show */
  async update(version: number): Promise<void> {
    this.#wanted = version
    if (this.#isLoading) return
    this.#isLoading = true
    try {
      // There may be more to show by the time the view has arrived.
      while (this.#version !== this.#wanted) {
        this.#version = this.#wanted
        const response = await fetch('view.json', { cache: 'no-store' })
        const view = response.ok ? ((await response.json()) as DashboardView | null) : null
        this.#view = view ?? this.#view
        if (view !== null) await this.#show(view)
      }
    } catch {
      // The page already shows that bellis does not respond; the next summary tries again.
      this.#version = -1
    } finally {
      this.#isLoading = false
    }
  }

  async #show(view: DashboardView): Promise<void> {
    const { description, codes } = this.#model
    if (this.#panel !== undefined) return this.#panel.update(view, description.tasks)
    if (!HAS_WEBGL) return
    const { VolumePanel } = await import('./volume-panel.ts')
    element('volume').hidden = false
    this.#panel = new VolumePanel(element('neuroglancer-container'), view, description.tasks, codes, theme())
    this.#panel.onLook = () => this.#stopFollowing()
    this.#panel.setRunning(this.#isRunning)
    element('volume').dataset.ready = 'true'
  }
}

const theme = (): Theme => (document.documentElement.dataset.theme === 'light' ? 'light' : 'dark')
