// Imported before a program: at its end, adds a line of JSON to the file that PRINT_MODULES names: the program, the modules of Node that it
// has loaded, and its files of dist/.
import { appendFileSync } from 'node:fs'
import { registerHooks } from 'node:module'

const files = []
registerHooks({
  load(url, context, next) {
    if (url.startsWith('file:') && url.includes('/dist/')) files.push(url.replace(/.*\/dist\//, ''))
    return next(url, context)
  },
})
process.on('exit', () => {
  const node = process.moduleLoadList.flatMap((name) => /^NativeModule (.*)/.exec(name)?.[1] ?? [])
  appendFileSync(process.env.PRINT_MODULES, `${JSON.stringify({ program: process.argv[1], node, files })}\n`)
})
