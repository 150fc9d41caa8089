import 'neuroglancer'
import { setupDefaultViewer } from 'neuroglancer/unstable/ui/default_viewer_setup.js'
import type { Viewer } from 'neuroglancer/unstable/viewer.js'
import type { Theme } from './theme.ts'

/** Neuroglancer in an element of the page, without the parts that the page replaces. */
export function createViewer(target: HTMLElement): Viewer {
  const viewer = setupDefaultViewer({
    target,
    showLayerDialog: false,
    resetStateWhenEmpty: false,
    showToolPaletteButton: false,
    showLayerListPanelButton: false,
  } as Parameters<typeof setupDefaultViewer>[0])
  releaseTabKey(target)
  return viewer
}

/** Neuroglancer keeps the Tab key inside its position fields; without a mouse they could not be left again. */
function releaseTabKey(target: HTMLElement): void {
  const release = (event: KeyboardEvent) => {
    if (event.key === 'Tab') event.stopPropagation()
  }
  target.addEventListener('keydown', release, { capture: true })
}

const BACKGROUND: Readonly<Record<Theme, string>> = { light: '#e8ebee', dark: '#14171b' }

export function setBackground(viewer: Viewer, theme: Theme): void {
  viewer.crossSectionBackgroundColor.restoreState(BACKGROUND[theme])
  viewer.perspectiveViewBackgroundColor.restoreState(BACKGROUND[theme])
}
