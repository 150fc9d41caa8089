// Makes few files of the many chunks into which esbuild splits modules. It makes a chunk for each set of programs that share modules, and
// each file costs a start 0.2 ms. Here, chunks that the same usual programs load become one file. A chunk that is imported for nothing but
// its order is not imported any more, since modules have no side effects.
import { createHash } from 'node:crypto'
import { dirname, join, relative, resolve } from 'node:path'
import * as esbuild from 'esbuild'

const IMPORT = /^import (?:(\{[^}]*\}) from )?("[^"]+");$/gm

/**
 * @param built what esbuild has made with `write: false`, `metafile: true` and inline source maps
 * @param programs lists of source files without `.ts`, relative to `src`: what a program that people often start loads
 * @param options of the build that writes the files; `outdir` is that of the first one
 */
export async function mergeChunks(root, built, programs, options) {
  const outputs = outputsOf(root, built)
  const groups = groupChunks(root, outputs, programs)
  const groupOf = new Map(groups.flatMap((group) => group.chunks.map((path) => [path, group])))
  const single = [...outputs.keys()].filter((path) => !groupOf.has(path))
  const name = (path) => relative(options.outdir, path).replace(/\.js$/, '')
  await esbuild.build({
    ...options,
    entryPoints: Object.fromEntries([
      ...single.map((path) => [name(path), path]),
      ...groups.map(({ file }) => [name(file), file]),
    ]),
    bundle: true,
    splitting: false,
    // Nothing is read from there.
    allowOverwrite: true,
    plugins: [fromMemory(outputs, groups, groupOf)],
  })
}

/** The chunks and entry points by path: their text, what they import at once, and their names. */
function outputsOf(root, { outputFiles, metafile }) {
  return new Map(
    outputFiles.map(({ path, text }) => {
      const { entryPoint, imports, exports } = metafile.outputs[relative(root, path)]
      const used = new Set([...text.matchAll(IMPORT)].filter(([, names]) => names !== undefined).map(([, , to]) => to))
      const needed = [...used].map((to) => resolve(dirname(path), JSON.parse(to)))
      const source = entryPoint?.replace(/^src\/|\.ts$/g, '')
      const statics = imports.filter(({ kind, external }) => kind === 'import-statement' && !external)
      const paths = new Set(statics.map((each) => join(root, each.path)))
      return [path, { text, exports, source, imports: needed.filter((each) => paths.has(each)) }]
    }),
  )
}

/** Chunks that are loaded by the same programs. */
function groupChunks(root, outputs, programs) {
  const loadedBy = programs.map((sources) => {
    const loaded = new Set()
    const load = (path) => {
      if (loaded.has(path)) return
      loaded.add(path)
      outputs.get(path).imports.forEach(load)
    }
    for (const source of sources) {
      const found = [...outputs].find(([, output]) => output.source === source)
      if (found === undefined) throw new Error(`src/${source}.ts is no entry point and is not imported dynamically`)
      load(found[0])
    }
    return loaded
  })
  const chunksOf = new Map()
  for (const [path, { source }] of outputs) {
    const key = loadedBy.map((loaded) => (loaded.has(path) ? 1 : 0)).join('')
    if (source !== undefined || !key.includes('1')) continue
    chunksOf.set(key, [...(chunksOf.get(key) ?? []), path])
  }
  return [...chunksOf.values()].map((chunks) => {
    const hash = createHash('sha256').update(chunks.join('\n')).digest('hex').slice(0, 8).toUpperCase()
    return { file: join(root, 'dist', 'chunks', `shared-${hash}.js`), chunks }
  })
}

/** What a chunk exports, in its group. */
const nameIn = (path, name) => `${name}_${/(\w+)\.js$/.exec(path)[1]}`

/** Gives esbuild the chunks; those of one group become one file, and everything else stays outside. */
function fromMemory(outputs, groups, groupOf) {
  const groupAt = new Map(groups.map((group) => [group.file, group]))
  return {
    name: 'chunks-from-memory',
    setup(build) {
      build.onResolve({ filter: /.*/ }, ({ path, importer, kind, resolveDir }) => {
        const target = resolve(resolveDir, path)
        if (kind === 'entry-point') return { path: target }
        const group = groupAt.get(importer) ?? groupOf.get(importer)
        const isInside = kind !== 'dynamic-import' && group !== undefined && groupOf.get(target) === group
        return isInside ? { path: target } : { path, external: true }
      })
      build.onLoad({ filter: /.*/ }, ({ path }) => {
        const resolveDir = dirname(path)
        const group = groupAt.get(path)
        if (group === undefined) return { contents: outsideOf(path, outputs, groupOf), resolveDir, loader: 'js' }
        const exported = group.chunks.flatMap((chunk) => {
          const names = outputs.get(chunk).exports.map((name) => `${name} as ${nameIn(chunk, name)}`)
          return names.length === 0 ? [] : [`export { ${names.join(', ')} } from ${JSON.stringify(chunk)}`]
        })
        return { contents: exported.join('\n'), resolveDir, loader: 'js' }
      })
    },
  }
}

/** A chunk that imports from groups what it imported from their chunks. */
function outsideOf(path, outputs, groupOf) {
  return outputs.get(path).text.replace(IMPORT, (all, names, to) => {
    const target = resolve(dirname(path), JSON.parse(to))
    if (!outputs.has(target)) return all
    // Without names, but with its lines, so that source maps stay right.
    if (names === undefined) return ''
    const group = groupOf.get(target)
    if (group === undefined || group === groupOf.get(path)) return all
    const renamed = names.replace(/([\w$]+)(?: as ([\w$]+))?(?=\s*[,}])/g, (_, name, local = name) => {
      return `${nameIn(target, name)} as ${local}`
    })
    const file = relative(dirname(path), group.file)
    return `import ${renamed} from ${JSON.stringify(file.startsWith('.') ? file : `./${file}`)};`
  })
}
