import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parseContext, showContext } from '../../src/adapters/links/context.ts'
import { bellis, hashVoxels, type RunningCommand, runLine, temporaryFolder } from '../support/command-line.ts'
import { all, ran, sorted, startCount } from '../support/count-run.ts'
import { cuttingProxy } from '../support/cutting-proxy.ts'
import { chunksIn, filesBelow } from '../support/folders.ts'
import { childrenOf, until } from '../support/processes.ts'
import { SMOOTHED, sampleForAll } from '../support/smoothed-sample.ts'

const BLOCKS = 1152

const raw = sampleForAll()

/** Smooths the sample in many small blocks. */
const smoothTo = (output: string, ...more: string[]) => [
  'smooth',
  raw,
  output,
  '--sigma',
  '2',
  '--block-write',
  '4,16,16',
  '--verbose',
  ...more,
]

/** The command for adding a worker that a running command has printed. */
const printed = ({ output }: RunningCommand) =>
  until('it says how to add a worker', () => /^ {2}(bellis worker \S+)$/m.exec(output.stderr)?.[1])

const context = (folder: string): string => {
  const home = join(folder, '.bellis')
  return readFileSync(join(home, readdirSync(home)[0] as string, 'context'), 'utf8').trim()
}

describe('bellis worker', () => {
  it('two workers started by the printed command do a run without workers; one leaves on Ctrl-C, and the run completes', async () => {
    using folder = temporaryFolder()
    const output = join(folder.path, 'out.zarr/s')
    const workers: Promise<{ code: unknown; stderr: string }>[] = []
    const meanwhile = async (run: RunningCommand) => {
      const line = await printed(run)
      const shells: RunningCommand[] = []
      const shell = { ownGroup: true, meanwhile: (child: RunningCommand) => void shells.push(child) }
      // Also from a shell in another folder.
      workers.push(runLine(line, { ...shell, cwd: folder.path }), runLine(line, { ...shell, cwd: '/' }))
      await until('both work', () => shells.every(({ output }) => output.stderr.includes('Connected as w')))
      await until('blocks are done', () => chunksIn(output) > 20)
      process.kill(-(shells[0] as RunningCommand).pid, 'SIGINT')
    }
    const run = await bellis(smoothTo('out.zarr/s', '--pool', 'none'), { cwd: folder.path, meanwhile })
    assert.equal(run.code, 0, run.stderr)
    assert.match(run.stdout, new RegExp(`smooth: ${BLOCKS} of ${BLOCKS} blocks`))
    const [left, stayed] = await Promise.all(workers)
    assert.equal(left?.code, 130, left?.stderr)
    assert.match(left?.stderr ?? '', /Leaving after the current block/)
    assert.equal(stayed?.code, 0, stayed?.stderr)
    assert.match(stayed?.stderr ?? '', /Left after [1-9]\d* blocks/)
    assert.equal(await hashVoxels(output), SMOOTHED)
    assert.ok(!run.stderr.includes('failed'), run.stderr)
  })

  it('bellis worker joins by BELLIS_CONTEXT alone, over TLS, from another folder; the secret is exposed nowhere', async () => {
    using folder = temporaryFolder()
    using elsewhere = temporaryFolder()
    const fixture = (name: string) => fileURLToPath(new URL(`../adapters/links/fixtures/${name}`, import.meta.url))
    const tls = ['--tls-cert', fixture('test-cert.pem'), '--tls-key', fixture('test-key.pem')]
    let worker: Promise<{ code: unknown; stdout: string; stderr: string }> | undefined
    let token = ''
    const meanwhile = async (run: RunningCommand) => {
      await printed(run)
      const text = context(folder.path)
      token = parseContext(text).token
      assert.equal(parseContext(text).fingerprint?.length, 64)
      const home = join(folder.path, '.bellis')
      assert.equal(statSync(join(home, readdirSync(home)[0] as string, 'context')).mode & 0o777, 0o600)
      const stored = () => chunksIn(join(folder.path, 'out.zarr/s'))
      await until("the run's own worker works", () => stored() > 0)
      const [own] = childrenOf(run.pid)
      // It might finish before the other one has started.
      process.kill(own as number, 'SIGSTOP')
      const before = stored()
      try {
        worker = bellis(['worker', '--json'], { cwd: elsewhere.path, env: { BELLIS_CONTEXT: text } })
        await until('blocks are done', () => stored() > before + 5)
      } finally {
        process.kill(own as number, 'SIGCONT')
      }
      const processes = execFileSync('ps', ['-A', '-ww', '-o', 'args='], { encoding: 'utf8' })
      assert.doesNotMatch(processes, new RegExp(token))
    }
    const args = smoothTo('out.zarr/s', '--pool', 'process', '--workers', '1', ...tls)
    const run = await bellis(args, { cwd: folder.path, meanwhile })
    assert.equal(run.code, 0, run.stderr)
    const joined = await worker
    assert.equal(joined?.code, 0, joined?.stderr)
    const { ok, blocks } = JSON.parse(joined?.stdout ?? '')
    assert.ok(ok && blocks > 0 && blocks < BLOCKS, joined?.stdout)
    assert.equal(await hashVoxels(join(folder.path, 'out.zarr/s')), SMOOTHED)
    assert.match(token, /^[0-9a-f]{32}$/)
    const kept = [...filesBelow(folder.path)]
      .filter(({ path }) => path.includes('.bellis'))
      .map(({ bytes }) => bytes.toString('utf8'))
    assert.ok(![run.stdout, run.stderr, ...kept].some((text) => text.includes(token)))
  })

  it('a run that others can reach uses a certificate of its own, and admits only workers that know it', async () => {
    using folder = temporaryFolder()
    const seen: string[] = []
    let asked = false
    const meanwhile = async (run: RunningCommand) => {
      const folderOfRun = (await printed(run)).split(' ')[2] as string
      const text = context(folder.path)
      const { fingerprint, ...plain } = parseContext(text)
      assert.match(fingerprint ?? '', /^[0-9a-f]{64}$/)
      seen.push(fingerprint as string)
      if (asked) return void process.kill(run.pid, 'SIGINT')
      asked = true
      const joinWith = (BELLIS_CONTEXT: string) => bellis(['worker'], { cwd: folder.path, env: { BELLIS_CONTEXT } })
      const unprotected = await joinWith(showContext(plain))
      assert.equal(unprotected.code, 2)
      assert.match(unprotected.stderr, /^bellis: .* accepts workers over TLS only/m)
      const wrong = await joinWith(showContext({ ...plain, fingerprint: 'ab'.repeat(32) }))
      assert.equal(wrong.code, 2)
      assert.match(wrong.stderr, /presented the certificate [0-9a-f]{64}; expected (ab){32}/)
      assert.equal((await joinWith(text)).code, 0)
      for (const { path, bytes } of filesBelow(folderOfRun))
        assert.doesNotMatch(bytes.toString('latin1'), /PRIVATE KEY/, path)
    }
    const call = smoothTo('out.zarr/s', '--pool', 'none', '--host', '0.0.0.0')
    const run = await bellis(call, { cwd: folder.path, meanwhile })
    assert.equal(run.code, 0, run.stderr)
    assert.equal(await hashVoxels(join(folder.path, 'out.zarr/s')), SMOOTHED)
    await bellis([...call, '--overwrite', '--yes'], { cwd: folder.path, meanwhile })
    assert.equal(new Set(seen).size, 2)
  })

  it('a run with --plain uses no TLS, which excludes a certificate', async () => {
    using folder = temporaryFolder()
    const call = smoothTo('out.zarr/s', '--pool', 'none', '--host', '0.0.0.0', '--plain')
    await bellis(call, {
      cwd: folder.path,
      meanwhile: async (run) => {
        await printed(run)
        assert.equal(parseContext(context(folder.path)).fingerprint, undefined)
        process.kill(run.pid, 'SIGINT')
      },
    })
    const both = await bellis([...call, '--tls-cert', 'a', '--tls-key', 'b'], { cwd: folder.path })
    assert.equal(both.code, 2)
    assert.match(both.stderr, /^bellis: --plain: expected without --tls-cert/)
  })

  it('bellis worker prints in one line why it was refused', async () => {
    using folder = temporaryFolder()
    const meanwhile = async (run: RunningCommand) => {
      const place = (await printed(run)).split(' ')[2]
      const { host, port } = parseContext(context(folder.path))
      const wrong = showContext({ host, port, token: '0'.repeat(32) })
      const refused = await bellis(['worker'], { cwd: folder.path, env: { BELLIS_CONTEXT: wrong } })
      assert.equal(refused.code, 2)
      assert.match(
        refused.stderr,
        /^bellis: 127\.0\.0\.1:\d+ is not the coordinator of this context: it does not know the context's token: .*\n$/,
      )
      const unknown = await bellis(['worker', 'nothing-here'], { cwd: folder.path })
      assert.equal(unknown.code, 2)
      assert.match(unknown.stderr, /^bellis: There is no run "nothing-here"/)
      process.kill(run.pid, 'SIGINT')
      await until('the run is over', () => !existsSync(join(folder.path, place as string, 'context')))
      const late = await bellis(['worker', place as string], { cwd: folder.path })
      assert.equal(late.code, 2)
      assert.match(late.stderr, /^bellis: The run in .* is not running: .*context can't be read\.\n$/)
    }
    const run = await bellis(smoothTo('out.zarr/s', '--pool', 'none'), { cwd: folder.path, meanwhile })
    assert.equal(run.code, 130, run.stderr)
  })
})

describe('threads', () => {
  it('threads do a run as processes do', async () => {
    using folder = temporaryFolder()
    const args = smoothTo('out.zarr/s', '--pool', 'thread', '--workers', '2')
    const { code, stderr } = await bellis(args, { cwd: folder.path })
    assert.equal(code, 0, stderr)
    assert.equal(await hashVoxels(join(folder.path, 'out.zarr/s')), SMOOTHED)
  })
})

describe('a network', () => {
  it('a network that delays, splits and cuts loses nothing: every block is done once', async () => {
    using folder = temporaryFolder()
    const blocks = 800
    // The first block waits until both workers have joined: one alone might finish before the other has started.
    const options = { pool: 'none', reconnectMs: 120_000 } as const
    const { run, invited, of, done } = startCount(folder.path, { blocks, ms: 2, waits: 0 }, options)
    const { context } = await invited
    const direct = parseContext(context)
    await using proxy = await cuttingProxy(direct.port, { cuts: 12 })
    const through = showContext({ ...direct, port: proxy.port })
    const workers = [0, 1].map(() => bellis(['worker'], { cwd: folder.path, env: { BELLIS_CONTEXT: through } }))
    await until('both are in', () => of('worker-started').length === 2)
    writeFileSync(join(folder.path, 'go'), '')
    const result = await run.result
    assert.ok(result.ok)
    for (const worker of await Promise.all(workers)) assert.equal(worker.code, 0, worker.stderr)
    // There are two connections at a time, so one more may be cut than requested.
    assert.ok(proxy.cuts >= 12, `${proxy.cuts} cuts`)
    assert.equal(sorted(done()).join(), all(blocks).join())
    assert.equal(sorted(ran(folder.path)).join(), all(blocks).join())
    assert.deepEqual([of('worker-died').length, of('block-retried').length, of('worker-started').length], [0, 0, 2])
  })
})

describe('a frozen worker', () => {
  it('a frozen worker that joined loses its block at the time limit; what it reports later changes nothing', async () => {
    using folder = temporaryFolder()
    const blocks = 40
    const options = { pool: 'none', timeoutMs: 4000, maxRetries: 3 } as const
    const { run, invited, of, done } = startCount(folder.path, { blocks, ms: 20, waits: 7 }, options)
    const { context } = await invited
    const env = { BELLIS_CONTEXT: context }
    const workers = [bellis(['worker'], { cwd: folder.path, env })]
    const file = join(folder.path, 'begun')
    // Complete lines only: the file exists before its first line.
    const begun = () => (existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1).map(Number) : [])
    const frozen = await until('the block has started', () => begun()[0])
    process.kill(frozen, 'SIGSTOP')
    try {
      await until('its time is up', () => of('block-retried').length > 0)
      assert.equal(of('block-retried')[0]?.error.code, 'BLOCK_TIMEOUT')
      workers.push(bellis(['worker'], { cwd: folder.path, env }))
      await until('another worker has started it', () => begun().length > 1)
      writeFileSync(join(folder.path, 'go'), '')
      await until('it is done', () => done().includes(7))
    } finally {
      process.kill(frozen, 'SIGCONT')
    }
    const result = await run.result
    assert.ok(result.ok)
    for (const worker of await Promise.all(workers)) assert.equal(worker.code, 0, worker.stderr)
    assert.equal(sorted(done()).join(), all(blocks).join())
  })

  it('a frozen worker of this machine is ended and replaced', async () => {
    using folder = temporaryFolder()
    const blocks = 40
    const options = { pool: 'process', workers: 1, timeoutMs: 4000 } as const
    const { run, of, done } = startCount(folder.path, { blocks, ms: 20, waits: 7 }, options)
    await until('the block has started', () => existsSync(join(folder.path, 'begun')))
    process.kill(of('worker-started')[0]?.pid as number, 'SIGSTOP')
    writeFileSync(join(folder.path, 'go'), '')
    const result = await run.result
    assert.ok(result.ok)
    assert.equal(of('worker-died').length, 1)
    assert.match(of('worker-died')[0]?.reason ?? '', /count\/7.* took longer than 4 s; its worker w1 was ended/)
    assert.equal(sorted(done()).join(), all(blocks).join())
  })
})
