// Bundles src/ into dist/ for Node: the library, the command and the programs of workers and pages share their chunks, so that each
// process loads a few files instead of hundreds. The modules of src/tasks stay files of their own, since workers find a task by the
// module that exports it; the bundles import them by the names "#tasks/…" of package.json.
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as esbuild from 'esbuild'
import { builtinsOnDemand } from './builtin-modules.mjs'
import { licenses } from './licenses.mjs'
import { mergeChunks } from './merge-chunks.mjs'

const PROGRAMS = [
  ...['entry/index', 'entry/kernels', 'entry/tasks', 'entry/worker', 'entry/cli/main'],
  ...['entry/workers/worker-process', 'entry/workers/worker-thread', 'entry/pages/dashboard-program'],
  ...['entry/parent/parent-program', 'entry/cli/completion/module-flags-program'],
]
/** What people start most: the modules that one of these loads are in few files. */
const USUAL = [
  ['entry/cli/main'],
  ['entry/cli/main', 'entry/cli/info'],
  ['entry/cli/main', 'entry/cli/tasks/convert', 'entry/execute-run', 'tasks/convert'],
  ['entry/workers/worker-process', 'tasks/convert'],
  ['entry/workers/worker-process', 'entry/index'],
]
/** Loaded only by those who use them, so they are installed, not bundled. */
const INSTALLED = ['h5wasm', 'mongodb', 'prom-client']

export async function buildModules(root) {
  const source = (name) => join(root, 'src', `${name}.ts`)
  const tasks = readdirSync(join(root, 'src', 'tasks')).map((file) => `tasks/${file.replace(/\.ts$/, '')}`)
  const common = {
    absWorkingDir: root,
    outdir: join(root, 'dist'),
    format: 'esm',
    platform: 'node',
    target: 'node22.18',
    legalComments: 'none',
    logLevel: 'warning',
  }
  const built = await esbuild.build({
    ...common,
    entryPoints: Object.fromEntries([...PROGRAMS, ...tasks].map((name) => [name, source(name)])),
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    splitting: true,
    write: false,
    external: INSTALLED.flatMap((name) => [name, `${name}/*`]),
    plugins: [tasksApart(root), builtinsOnDemand(join(root, 'src'))],
    // Commander is CommonJS and requires modules of Node.
    banner: { js: 'const require = process.getBuiltinModule;' },
    sourcemap: 'inline',
    metafile: true,
  })
  await mergeChunks(root, built, USUAL, { ...common, sourcemap: 'linked' })
  writeFileSync(join(root, 'dist', 'LICENSES.txt'), licenses(root, built.metafile))
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
