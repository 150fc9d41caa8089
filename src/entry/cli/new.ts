import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { makeNamedFolder } from '../../adapters/files/make-folders.ts'
import { ConfigError } from '../../core/errors.ts'
import { PACKAGE_ROOT } from '../../runtime/package-place.ts'
import { wrapped } from './layout.ts'
import { type CommonOptions, commonOptions } from './options.ts'
import { printJson, say } from './output.ts'

/** The name of the task in the template. */
const PLACEHOLDER = /my-task/g

/** `bellis new` */
export function newCommand(): Command {
  const command = new Command('new')
    .description('Creates a small project for a task of your own: the task, its test, a README.')
    .argument('<folder>', 'folder to create, named after the task')
  return commonOptions(command)
    .addHelpText('after', '\nExample:\n  $ bellis new my-task')
    .action((folder: string, flags: CommonOptions) => {
      const files = writeProject(folder)
      if (flags.json) printJson({ folder, files })
      say(
        flags,
        `${wrapped(`${folder}: ${files.join(', ')}`, 2)}\n\nNext:\n  cd ${folder}\n  npm install\n  npm test\n  npm run typecheck`,
      )
    })
}

/** Writes the project. @returns the names of its files @throws ConfigError `INVALID_CONFIG`, `DATASET_EXISTS` */
function writeProject(folder: string): string[] {
  const name = basename(resolve(folder))
  if (!/^[a-z0-9][a-z0-9._-]*$/.test(name)) {
    throw new ConfigError(
      'INVALID_CONFIG',
      `${name}: expected a name for a task and a package, of lowercase letters, digits, ".", "_" and "-".`,
    )
  }
  if (existsSync(folder) && readdirSync(folder).length > 0) {
    throw new ConfigError('DATASET_EXISTS', `${folder} exists and is not empty; choose another name.`)
  }
  makeNamedFolder(folder)
  const template = fileURLToPath(new URL('templates/task/', PACKAGE_ROOT))
  const copied = readdirSync(template)
  for (const file of copied) {
    const path = join(folder, file)
    cpSync(join(template, file), path)
    writeFileSync(path, readFileSync(path, 'utf8').replaceAll(PLACEHOLDER, name))
  }
  const written = {
    'package.json': projectManifest(name),
    // For the editor and `npm run typecheck`: they mark syntax that Node can't run.
    'tsconfig.json': {
      compilerOptions: {
        target: 'es2023',
        lib: ['esnext'],
        module: 'nodenext',
        types: ['node'],
        strict: true,
        erasableSyntaxOnly: true,
        verbatimModuleSyntax: true,
        allowImportingTsExtensions: true,
        skipLibCheck: true,
        noEmit: true,
      },
    },
  }
  for (const [file, content] of Object.entries(written)) {
    writeFileSync(join(folder, file), `${JSON.stringify(content, null, 2)}\n`)
  }
  writeFileSync(join(folder, '.gitignore'), 'node_modules/\n.bellis/\n*.zarr/\n*.hdf\n')
  return [...copied, ...Object.keys(written), '.gitignore'].sort()
}

function projectManifest(name: string): object {
  const { engines, devDependencies } = JSON.parse(readFileSync(new URL('package.json', PACKAGE_ROOT), 'utf8'))
  return {
    name,
    version: '0.1.0',
    private: true,
    type: 'module',
    engines,
    scripts: { test: 'node --test', typecheck: 'tsc' },
    // This Bellis, wherever it is: a checkout, a global installation, or that of another project.
    dependencies: { bellis: `file:${fileURLToPath(PACKAGE_ROOT).replace(/[\\/]$/, '')}` },
    devDependencies: { '@types/node': devDependencies['@types/node'], typescript: devDependencies.typescript },
  }
}
