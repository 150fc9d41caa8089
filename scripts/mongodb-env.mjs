// Builds FerretDB, which replaces MongoDB in the tests, in .cache/ferretdb-<hash>/. Needs Go, and the module proxy the first
// time. Does nothing if it is built already or BELLIS_TEST_MONGODB_URL names a real server.
//
//   node scripts/mongodb-env.mjs         builds it
//   node scripts/mongodb-env.mjs path    prints its path, or nothing if it is not built
//
// Runs on Node 18 or newer. If it can't be built, prints why and exits with 0, or with 1 if the variable CI is set.
import { buildWithGo } from './go-env.mjs'

buildWithGo({
  script: 'mongodb-env',
  name: 'ferretdb',
  files: ['main.go', 'go.mod', 'go.sum'],
  main: '.',
  title: 'FerretDB',
  duration: 'a minute or two',
  server: 'a MongoDB server',
  missing: 'found no Go (1.24 or newer) to build FerretDB, and BELLIS_TEST_MONGODB_URL is not set',
  isNeeded: !process.env.BELLIS_TEST_MONGODB_URL,
})
