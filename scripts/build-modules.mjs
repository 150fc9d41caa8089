// Bundles src/ into dist/ for Node: the library, the command and the programs of workers and pages share their chunks, so that each
// process loads a few files instead of hundreds. The modules of src/tasks stay files of their own, since workers find a task by the
// module that exports it; the bundles import them by the names "#tasks/…" of package.json.
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as esbuild from 'esbuild'
import { licenses } from './licenses.mjs'

const PROGRAMS = [
  ...['entry/index', 'entry/kernels', 'entry/tasks', 'entry/worker', 'entry/cli/main'],
  ...['entry/workers/worker-process', 'entry/workers/worker-thread', 'entry/pages/dashboard-program'],
  'entry/parent/parent-program',
]
/** Loaded only by those who use them, so they are installed, not bundled. */
const INSTALLED = ['h5wasm', 'mongodb', 'prom-client']

export async function buildModules(root) {
  const source = (name) => join(root, 'src', `${name}.ts`)
  const tasks = readdirSync(join(root, 'src', 'tasks')).map((file) => `tasks/${file.replace(/\.ts$/, '')}`)
  const { metafile } = await esbuild.build({
    absWorkingDir: root,
    entryPoints: Object.fromEntries([...PROGRAMS, ...tasks].map((name) => [name, source(name)])),
    outdir: join(root, 'dist'),
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node22.18',
    external: INSTALLED.flatMap((name) => [name, `${name}/*`]),
    plugins: [tasksApart(root)],
    // Commander is CommonJS and requires modules of Node.
    banner: { js: 'const require = process.getBuiltinModule;' },
    sourcemap: 'linked',
    metafile: true,
    legalComments: 'none',
    logLevel: 'warning',
  })
  writeFileSync(join(root, 'dist', 'LICENSES.txt'), licenses(root, metafile))
}

/** Imports of a module of src/tasks become imports of "#tasks/…". */
function tasksApart(root) {
  const folder = join(root, 'src', 'tasks')
  return {
    name: 'tasks-apart',
    setup(build) {
      build.onResolve({ filter: /^\./ }, ({ path, resolveDir, kind }) => {
        const target = join(resolveDir, path)
        if (kind === 'entry-point' || !target.startsWith(join(folder, '/'))) return undefined
        return { path: `#tasks/${target.slice(folder.length + 1).replace(/\.ts$/, '.js')}`, external: true }
      })
    },
  }
}
