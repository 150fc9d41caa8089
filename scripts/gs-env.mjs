// Builds fake-gcs-server, a server of Google Cloud Storage's interface on a folder, for the tests, in .cache/fake-gcs-server-<hash>/.
// Needs Go, and the module proxy the first time. Does nothing if it is built already.
//
//   node scripts/gs-env.mjs         builds it
//   node scripts/gs-env.mjs path    prints its path, or nothing if it is not built
//
// Runs on Node 18 or newer. If it can't be built, prints why and exits with 0, or with 1 if the variable CI is set.
import { buildWithGo } from './go-env.mjs'

buildWithGo({
  script: 'gs-env',
  name: 'fake-gcs-server',
  files: ['go.mod', 'go.sum'],
  main: 'github.com/fsouza/fake-gcs-server',
  env: { CGO_ENABLED: '0' },
  title: 'fake-gcs-server',
  duration: 'two minutes or so',
  server: 'a server of Google Cloud Storage',
  missing: 'found no Go (1.26 or newer) to build fake-gcs-server',
})
