import type { DescribedBoardTask } from '../../../core/board/summary.ts'
import { createBlockGrid } from '../../../core/grid/block-grid.ts'
import { element, make } from '../../shared/elements.ts'
import { type Plane, planesOf } from './planes.ts'

/** The controls that all maps share: the plane, and whether they follow the running blocks. */
export class MapControls {
  readonly #follow = element<HTMLInputElement>('follow-maps')

  /** @param onPlane the user has chosen another plane for all maps of three axes or more */
  constructor(tasks: readonly DescribedBoardTask[], onPlane: (name: string) => void) {
    const shapes = tasks.map(({ map }) => createBlockGrid(map.grid).shape).filter(({ length }) => length >= 3)
    // A single slice is all there is.
    const hasSlices = shapes.some((shape) => (shape[shape.length - 3] as number) > 1)
    const hasFurther = shapes.some((shape) => shape.slice(0, -3).some((length) => length > 1))
    const group = element('planes')
    group.append(...planesOf(3).map((plane) => this.#choice(plane, onPlane)))
    group.hidden = !hasSlices
    const label = this.#follow.parentElement as HTMLElement
    label.hidden = !hasSlices && !hasFurther
  }

  get isFollowing(): boolean {
    return this.#follow.checked
  }

  /** The user has gone to a slice. */
  stopFollowing(): void {
    this.#follow.checked = false
  }

  #choice({ name }: Plane, onPlane: (name: string) => void): HTMLElement {
    const input = make('input', { type: 'radio', name: 'plane', checked: name === 'xy' })
    input.addEventListener('change', () => onPlane(name))
    return make('label', {}, input, make('span', {}, name))
  }
}
