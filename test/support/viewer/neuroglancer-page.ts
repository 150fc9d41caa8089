// Neuroglancer as it is, with its own sources of Zarr, N5 and precomputed volumes: what users see who open what Bellis wrote with it.
import 'neuroglancer'
import { makeDefaultViewer } from 'neuroglancer/unstable/ui/default_viewer.js'

const viewer = makeDefaultViewer({
  target: document.getElementById('neuroglancer-container'),
  showLayerDialog: false,
} as unknown as Parameters<typeof makeDefaultViewer>[0])
Object.assign(window, { viewer })

const state = (await (await fetch('view.json')).json()) as { readonly state: unknown }
viewer.state.restoreState(state.state)
document.documentElement.dataset.ready = 'true'
