import 'neuroglancer'
import { setupDefaultViewer } from 'neuroglancer/unstable/ui/default_viewer_setup.js'
setupDefaultViewer({ showLayerDialog: false, resetStateWhenEmpty: false })
