// The folders are the architecture: see docs/ARCHITECTURE.md.
const rule = (name, from, to) => ({ name, severity: 'error', from, to })

module.exports = {
  forbidden: [
    rule('no-cycles', {}, { circular: true }),
    rule('core-is-pure', { path: '^src/core' }, { pathNot: '^src/core' }),
    rule('ports-are-types', { path: '^src/ports' }, { pathNot: '^src/(core|ports)' }),
    rule('runtime-is-given-ports', { path: '^src/runtime' }, { path: '^src/(adapters|entry|viewer|tasks)' }),
    rule(
      'adapters-stand-alone',
      { path: '^src/adapters/([^/]+)/' },
      { path: '^src/(runtime|entry|viewer|adapters|tasks)', pathNot: '^src/adapters/$1/' },
    ),
    rule('viewer-is-a-browser', { path: '^src/viewer' }, { pathNot: '^src/(viewer|core)|node_modules|^neuroglancer' }),
    rule('kernels-are-pure', { path: '^src/kernels' }, { pathNot: '^src/kernels' }),
    rule(
      'tasks-are-user-code',
      { path: '^src/tasks' },
      { pathNot: '^src/(tasks|kernels)|^src/entry/[^/]+\\.ts$|node_modules' },
    ),
    rule('entry-is-last', { pathNot: '^src/(entry|tasks)' }, { path: '^src/(entry|tasks)' }),
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
  },
}
