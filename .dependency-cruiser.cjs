// The folders are the architecture: see docs/ARCHITECTURE.md.
const rule = (name, from, to) => ({ name, severity: 'error', from, to })

module.exports = {
  forbidden: [
    rule('no-cycles', {}, { circular: true }),
    rule('core-is-pure', { path: '^src/core' }, { pathNot: '^src/core' }),
    rule('ports-are-types', { path: '^src/ports' }, { pathNot: '^src/(core|ports)' }),
    rule(
      'runtime-is-given-ports',
      { path: '^src/runtime' },
      { path: '^src/(adapters|entry|serving|sample|viewer|tasks)' },
    ),
    rule(
      'coordinator-and-worker-are-apart',
      { path: '^src/runtime/(coordinator|worker)/' },
      { path: '^src/runtime/(coordinator|worker)/', pathNot: '^src/runtime/$1/' },
    ),
    rule(
      'serving-reads-volumes',
      { path: '^src/serving' },
      { path: '^src', pathNot: '^src/(core|ports|serving|runtime/volumes)/' },
    ),
    rule(
      'adapters-stand-alone',
      { path: '^src/adapters/([^/]+)/', pathNot: '^src/adapters/(n5|precomputed|buckets)/' },
      {
        path: '^src/(runtime|serving|sample|entry|viewer|adapters|tasks)',
        pathNot: '^src/adapters/($1|codecs|connections|files|http|ranges|objects|buckets)/',
      },
    ),
    // What the scheme of an address chooses.
    rule(
      'buckets-are-those-of-services',
      { path: '^src/adapters/buckets/' },
      {
        path: '^src/(runtime|serving|sample|entry|viewer|adapters|tasks)',
        pathNot: '^src/adapters/(buckets|objects|s3|gs|azure)/',
      },
    ),
    // Their chunks are files as those of Zarr are.
    rule(
      'chunk-formats-build-on-zarr',
      { path: '^src/adapters/(n5|precomputed)/' },
      {
        path: '^src/(runtime|serving|sample|entry|viewer|adapters|tasks)',
        pathNot: '^src/adapters/($1|codecs|files|http|objects|zarr|png|jpeg)/',
      },
    ),
    rule(
      'sample-writes-hdf5',
      { path: '^src/sample' },
      { path: '^src', pathNot: '^src/(core|ports|sample|adapters/hdf5)/' },
    ),
    rule('viewer-is-a-browser', { path: '^src/viewer' }, { pathNot: '^src/(viewer|core)|node_modules|^neuroglancer' }),
    rule(
      'viewer-pages-are-apart',
      { path: '^src/viewer/(show|dashboard|shared)/' },
      { path: '^src/viewer/(show|dashboard)/', pathNot: '^src/viewer/$1/' },
    ),
    rule('kernels-are-pure', { path: '^src/kernels' }, { pathNot: '^src/kernels' }),
    rule('tasks-are-user-code', { path: '^src/tasks' }, { pathNot: '^src/tasks|^src/entry/[^/]+\\.ts$|node_modules' }),
    rule('entry-is-last', { pathNot: '^src/(entry|tasks)' }, { path: '^src/(entry|tasks)' }),
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
  },
}
