// Node's own modules in a bundle. An import of one of them reads all that it exports, also what Node loads only when it is asked for:
// node:http then loads all of fetch and WebSocket, node:tls the root certificates, node:crypto Web Crypto. So the bundles take what
// they use from process.getBuiltinModule.
import { readFileSync } from 'node:fs'

const IMPORT = /^import (?!type\b)(?:([\w$]+)(?:, )?)?(\{[^}]*\})? from ('node:[\w/]+')/gm

/** A plugin of esbuild that replaces imports of modules of Node in files below `folder`. */
export function builtinsOnDemand(folder) {
  return {
    name: 'builtins-on-demand',
    setup(build) {
      build.onLoad({ filter: /\.ts$/ }, ({ path }) =>
        path.startsWith(folder) ? { contents: withoutBuiltins(readFileSync(path, 'utf8')), loader: 'ts' } : undefined,
      )
    },
  }
}

/** Line by line, so that source maps stay right. */
const withoutBuiltins = (source) =>
  source.replace(IMPORT, (_, whole, parts, name) => {
    const module = `process.getBuiltinModule(${name})`
    const consts = [
      ...(whole === undefined ? [] : [`${whole} = ${module}`]),
      ...(parts === undefined ? [] : [`${destructuring(parts)} = ${module}`]),
    ]
    return `const ${consts.join(', ')}`
  })

const destructuring = (parts) => parts.replace(/\btype [\w$]+( as [\w$]+)?,?/g, '').replace(/ as /g, ': ')
