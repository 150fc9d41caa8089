// Shared by slurm-env.mjs, sge-env.mjs and torque-env.mjs, the batch systems for the tests, and shells-env.mjs. Runs on Node 18 or
// newer.
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

const searchPath = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/bin'].filter(Boolean)
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

export function aptGet(args, more = {}) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C', PATH: path }
  const options = ['--quiet=2', '-o', 'DPkg::Lock::Timeout=120', '-o', 'Acquire::Retries=3']
  const { status, stdout, stderr } = spawnSync('apt-get', [...options, ...args], { env, encoding: 'utf8', ...more })
  return { status, output: `${stdout ?? ''}${stderr ?? ''}` }
}

/**
 * Downloads Debian's packages and unpacks them into a folder, without installing them.
 * @param finish called with the unpacked files, before the folder has its name
 * @returns why they can't be downloaded; undefined if the folder exists now
 * @throws Error if a package can't be unpacked
 */
export function unpackPackages(packages, folder, finish = () => {}) {
  // Unpacked under another name and renamed: concurrent or killed runs never leave an incomplete copy.
  const making = `${folder}-${process.pid}`
  mkdirSync(making, { recursive: true })
  try {
    const download = () => aptGet(['download', ...packages], { cwd: making })
    let { status, output } = download()
    if (status !== 0) {
      aptGet(['update'])
      ;({ status, output } = download())
    }
    if (status !== 0) return `Debian's packages can't be downloaded: ${output.trim().split('\n').slice(-3).join(' | ')}`
    for (const name of readdirSync(making).filter((name) => name.endsWith('.deb'))) {
      const options = { encoding: 'utf8', timeout: 20_000 }
      const unpacked = spawnSync('dpkg-deb', ['-x', join(making, name), making], options)
      if (unpacked.status !== 0) throw new Error(`dpkg-deb -x ${name}: ${unpacked.error?.message ?? unpacked.stderr}`)
      rmSync(join(making, name))
    }
    finish(making)
    if (!existsSync(folder)) renameSync(making, folder)
    return undefined
  } finally {
    rmSync(making, { recursive: true, force: true })
  }
}

/** Ports that are free at this moment. */
export async function freePorts(count) {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise((done, failed) => {
          const server = createServer()
          server.once('error', failed)
          server.listen(0, '127.0.0.1', () => done(server))
        }),
    ),
  )
  const ports = servers.map((server) => server.address().port)
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))))
  return ports
}

/** Starts a cluster in a temporary folder, prints its description, and stops it when standard input ends or on a signal. */
export async function serve(prefix, start, stop) {
  const folder = mkdtempSync(join(tmpdir(), prefix))
  const ended = new Promise((done) => {
    process.stdin.resume().once('end', done).once('close', done).once('error', done)
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, done)
  })
  try {
    console.log(JSON.stringify(await start(folder)))
    await ended
  } finally {
    await stop(folder)
  }
}
