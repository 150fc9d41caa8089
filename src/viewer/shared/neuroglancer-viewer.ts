import 'neuroglancer'
import { bindDefaultCopyHandler, bindDefaultPasteHandler } from 'neuroglancer/unstable/ui/default_clipboard_handling.js'
import { setDefaultInputEventBindings } from 'neuroglancer/unstable/ui/default_input_event_bindings.js'
import { makeDefaultViewer } from 'neuroglancer/unstable/ui/default_viewer.js'
import { UrlHashBinding } from 'neuroglancer/unstable/ui/url_hash_binding.js'
import type { Viewer } from 'neuroglancer/unstable/viewer.js'
import type { Theme } from './theme.ts'

/**
 * Neuroglancer in an element of the page, without the parts that the page replaces. Unlike Neuroglancer's own set-up, it leaves the title
 * of the page alone.
 * @param isInAddress whether its state is kept in the address of the page, and can be pasted
 */
export function createViewer(target: HTMLElement, { isInAddress }: { readonly isInAddress: boolean }): Viewer {
  const viewer = makeDefaultViewer({
    target,
    showLayerDialog: false,
    resetStateWhenEmpty: false,
    showToolPaletteButton: false,
    showLayerListPanelButton: false,
  } as Parameters<typeof makeDefaultViewer>[0])
  // As Neuroglancer's own page has it, for the browser's console.
  Object.assign(window, { viewer })
  setDefaultInputEventBindings(viewer.inputEventBindings)
  if (isInAddress) {
    const binding = viewer.registerDisposer(
      new UrlHashBinding(viewer.state, viewer.dataSourceProvider.sharedKvStoreContext),
    )
    binding.updateFromUrlHash()
    bindDefaultPasteHandler(viewer)
  }
  bindDefaultCopyHandler(viewer)
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
