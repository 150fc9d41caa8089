// Where this Bellis is: a checkout that runs its sources, or a package whose modules are bundled.

const [, root = '', kind = ''] = /^(.*\/)(dist|src)\//.exec(import.meta.url) ?? []

/** The folder of the package, as a URL that ends with "/". */
export const PACKAGE_ROOT = root

/** The folder of Bellis's own modules, as a URL that ends with "/". It differs from machine to machine. */
export const OWN_MODULES = `${root}${kind}/`

/** The folders of which stack traces name files of Bellis: that of its modules, and that of their sources in source maps. */
export const OWN_FOLDERS: readonly string[] = [OWN_MODULES, `${root}src/`]

/** The URL of a module of Bellis. @param path within src, without its extension: `entry/workers/worker-process` */
export const ownModule = (path: string): string => `${OWN_MODULES}${path}.${kind === 'src' ? 'ts' : 'js'}`

/** Whether a module is one of Bellis: of its sources, or built of them. */
export const isOwnModule = (url: string): boolean =>
  [`${root}dist/`, `${root}src/`].some((each) => url.startsWith(each))
