// Builds the Versity S3 Gateway, a real S3 server on a folder, for the tests, in .cache/versitygw-<hash>/. Needs Go, and the module
// proxy the first time. Does nothing if it is built already.
//
//   node scripts/s3-env.mjs         builds it
//   node scripts/s3-env.mjs path    prints its path, or nothing if it is not built
//
// Runs on Node 18 or newer. If it can't be built, prints why and exits with 0, or with 1 if the variable CI is set.
import { buildWithGo } from './go-env.mjs'

buildWithGo({
  script: 's3-env',
  name: 'versitygw',
  files: ['go.mod', 'go.sum'],
  main: 'github.com/versity/versitygw/cmd/versitygw',
  env: { CGO_ENABLED: '0' },
  title: 'the Versity S3 Gateway',
  duration: 'two minutes or so',
  server: 'an S3 server',
  missing: 'found no Go (1.25 or newer) to build the Versity S3 Gateway',
})
