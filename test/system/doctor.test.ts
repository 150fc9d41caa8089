import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { MongoClient } from 'mongodb'
import { bellis, type CommandOptions, temporaryFolder } from '../support/command-line.ts'
import { mongodbOrSkip } from '../support/mongodb.ts'
import { slurmOrSkip } from '../support/slurm.ts'

interface Finding {
  readonly name: string
  readonly status: 'ok' | 'warning' | 'problem' | 'absent'
  readonly found: string
  readonly advice?: string
}

describe('bellis doctor', () => {
  const folder = temporaryFolder()
  after(() => folder[Symbol.dispose]())
  // Only Node on the PATH, and a separate folder for temporary files, to see what is left there.
  const [bare, temporary, cwd] = ['bin', 'tmp', 'cwd'].map((name) => join(folder.path, name)) as [
    string,
    string,
    string,
  ]
  for (const path of [bare, temporary, cwd]) mkdirSync(path)
  symlinkSync(process.execPath, join(bare, 'node'))
  const env = { PATH: bare, TMPDIR: temporary, DISPLAY: '', WAYLAND_DISPLAY: '', BELLIS_HOME: undefined }

  async function doctor(args: readonly string[], options: Partial<CommandOptions> = {}) {
    const { code, stdout, stderr } = await bellis(['doctor', ...args, '--json'], {
      cwd,
      ...options,
      env: { ...env, ...options.env },
    })
    const document = JSON.parse(stdout) as { readonly ok: boolean; readonly checks: readonly Finding[] }
    assert.equal(code, document.ok ? 0 : 1, stderr)
    const of = (name: string): Finding => {
      const finding = document.checks.find((check) => check.name === name)
      assert.ok(finding, `${name} is not in ${stdout}`)
      return finding
    }
    return { code, of, checks: document.checks }
  }

  it('doctor finds everything that a run needs on this machine, tolerates what is absent but not needed, and leaves nothing behind', async () => {
    const { code, checks } = await doctor([])
    assert.equal(code, 0)
    assert.deepEqual(
      checks.map(({ name, status }) => `${name} ${status}`),
      [
        ...['Node ok', 'machine ok', 'HDF5 ok', 'Zarr ok', 'kernels ok', 'workers ok', 'runs ok', 'ports ok'],
        ...['SLURM absent', 'Grid Engine absent', 'PBS absent', 'LSF absent', 'Kubernetes absent'],
        ...['MongoDB absent', 'browser absent'],
      ],
    )
    assert.deepEqual([readdirSync(cwd), readdirSync(temporary)], [[], []])
  })

  it('doctor prints one line per check, and only the problems with --quiet', async () => {
    const { stdout } = await bellis(['doctor'], { cwd, env })
    const lines = stdout.trimEnd().split('\n')
    assert.equal(lines.length, 15)
    assert.match(lines[0] as string, new RegExp(`^✔ Node +${process.versions.node} `))
    assert.match(stdout, /^– SLURM +sbatch is not on the PATH; only --pool slurm needs it$/m)
    const quiet = await bellis(['doctor', '--quiet', '--slurm', '--partition=short'], { cwd, env })
    assert.equal(quiet.code, 1)
    assert.match(quiet.stdout, /^✘ SLURM +sbatch is not on the PATH: run this on a machine that submits jobs, .*\n$/)
    assert.equal((await bellis(['doctor', '--quiet'], { cwd, env })).stdout, '')
  })

  it('doctor names each requested part that does not work, and the remedy', async (t) => {
    const server = createServer().listen(0, '127.0.0.1')
    // In any case: an open server would keep a failed test from ending.
    t.after(() => server.close())
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    writeFileSync(join(folder.path, 'file'), '')
    const { code, of, checks } = await doctor([
      ...['--port', String(port), '--run-dir', join(folder.path, 'file', 'runs')],
      ...['--db', 'mongodb://somebody:secret@127.0.0.1:1/x', '--slurm', '', '--sge', '', '--pbs', '', '--lsf', ''],
      ...['--kubernetes', '--image=x'],
    ])
    assert.equal(code, 1)
    assert.match(of('ports').found, new RegExp(`127.0.0.1:${port}.*EADDRINUSE`))
    assert.match(of('runs').found, /file.* is not writable: .*ENOTDIR/)
    assert.match(of('MongoDB').found, /No server answers at mongodb:\/\/127\.0\.0\.1:1\/x .*check that it is running/)
    assert.doesNotMatch(JSON.stringify(checks), /secret/)
    for (const name of ['ports', 'runs', 'SLURM', 'Grid Engine', 'PBS', 'LSF', 'Kubernetes']) {
      assert.deepEqual([of(name).status, of(name).advice === undefined], ['problem', false], name)
    }
    for (const name of ['Node', 'HDF5', 'Zarr', 'workers']) assert.equal(of(name).status, 'ok', name)
  })

  it('doctor reports native parts that cannot run', async () => {
    const { of } = await doctor([], { env: { NODE_OPTIONS: '--jitless' } })
    for (const name of ['HDF5', 'kernels']) {
      assert.equal(of(name).status, 'problem', name)
      assert.match(of(name).advice ?? '', /--jitless/)
    }
    assert.equal(of('Zarr').status, 'ok')
  })

  it('doctor asks SLURM whether it accepts the requested workers, and ignores an installed SLURM that was not requested', async (t) => {
    const slurm = await slurmOrSkip(t)
    if (slurm === undefined) return
    const PATH = `${bare}:${slurm.env.PATH}`
    const here = { env: { ...slurm.env, PATH } }
    assert.equal((await doctor([], here)).of('SLURM').status, 'ok')
    assert.equal((await doctor(['--slurm', '--partition=short'], here)).of('SLURM').status, 'ok')
    const refused = (await doctor(['--slurm', '--partition=none'], here)).of('SLURM')
    assert.equal(refused.status, 'problem')
    assert.match(refused.found, /invalid partition specified/)
    writeFileSync(join(folder.path, 'none.conf'), '')
    const lost = { env: { PATH, SLURM_CONF: join(folder.path, 'none.conf') } }
    assert.equal((await doctor([], lost)).of('SLURM').status, 'warning')
    assert.equal((await doctor(['--slurm', ''], lost)).of('SLURM').status, 'problem')
  })

  it('doctor tests a database with a test record, and deletes it afterwards', async (t) => {
    const db = await mongodbOrSkip(t)
    if (db === undefined) return
    const { of } = await doctor(['--db', db])
    assert.equal(of('MongoDB').status, 'ok')
    await using client = new MongoClient(db)
    assert.deepEqual(await client.db().collection('runs').find().toArray(), [])
  })
})
