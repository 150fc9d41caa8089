// Programs of this machine, and Debian packages for those that are missing.
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const searchPath = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/bin'].filter(Boolean)

/** Where programs are looked for, those of administrators too. */
export const path = [...new Set(searchPath)].join(delimiter)

export const isRoot = () => process.getuid?.() === 0

export function findProgram(name) {
  return searchPath
    .map((folder) => join(folder, name))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}

/** Installs packages, where this is Debian and the user may. @returns why they may not be there, for a message */
export function installPackages(script, packages) {
  const names = packages.join(' ')
  if (process.platform !== 'linux' || findProgram('apt-get') === undefined || !existsSync('/etc/debian_version')) {
    return 'this is not Debian'
  }
  if (!isRoot()) return `only root can install ${names}`
  console.error(`${script}: installing ${names}`)
  const keepDaemonsDown = forbidServices()
  let output = ''
  try {
    const wanted = ['install', '--yes', '--no-install-recommends', ...packages]
    if (aptGet(['--simulate', ...wanted]).status !== 0) output = aptGet(['update']).output
    output += aptGet(wanted).output
  } finally {
    keepDaemonsDown()
  }
  return `apt-get could not install ${names}: ${output.trim().split('\n').slice(-5).join(' | ')}`
}

function aptGet(args) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C', PATH: path }
  const options = ['--quiet=2', '-o', 'DPkg::Lock::Timeout=120', '-o', 'Acquire::Retries=3']
  const { status, stdout, stderr } = spawnSync('apt-get', [...options, ...args], { env, encoding: 'utf8' })
  return { status, output: `${stdout ?? ''}${stderr ?? ''}` }
}

/** Debian starts what it installs, a machine-wide munged too; this asks it not to. @returns what takes that back */
function forbidServices() {
  const policy = '/usr/sbin/policy-rc.d'
  if (existsSync(policy)) return () => {}
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  return () => rmSync(policy, { force: true })
}
