import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { pathToFileURL } from 'node:url'
import { parseContext } from '../../src/adapters/links/context.ts'
import { bellis, program, type RunningCommand, runLine, runProgram, temporaryFolder } from '../support/command-line.ts'
import { chunksIn } from '../support/folders.ts'
import { childrenOf, stillRunning, until } from '../support/processes.ts'
import { NONCE } from '../support/raw-proof.ts'
import { sampleForAll } from '../support/smoothed-sample.ts'

const raw = sampleForAll()
const smooth = (...more: string[]) => ['smooth', raw, 'out.zarr/s', '--sigma', '2', '--block-write', '4,16,16', ...more]

const contextIn = (folder: string): string => {
  const home = join(folder, '.bellis')
  return readFileSync(join(home, readdirSync(home)[0] as string, 'context'), 'utf8').trim()
}

/** What a program says that wants a worker to run its module. */
function orders(folder: string): string {
  const module = join(folder, 'planted.mjs')
  writeFileSync(
    module,
    `import { writeFileSync } from 'node:fs'\nwriteFileSync(${JSON.stringify(join(folder, 'ran'))}, '')\n`,
  )
  const box = { offset: [0], shape: [1] }
  const task = { id: 'a', module: pathToFileURL(module).href, name: 'a', config: {}, unit: 'nm' }
  return [
    { type: 'welcome', protocol: 2, workerId: 'w1', session: 's', heartbeatMs: 0, leases: [] },
    { type: 'task', task },
    { type: 'task', task: { ...task, id: 'b', module: 'data:text/javascript,process.exit(9)' } },
    { type: 'lease', lease: 1, taskId: 'a', blocks: [0], rois: [{ read: box, write: box }] },
  ]
    .map((message) => `${JSON.stringify(message)}\n`)
    .join('')
}

/** Listens at a port as soon as it is free, and answers every hello with a wrong proof or none, and with orders. */
async function impostorAt(port: number, folder: string) {
  const commands = orders(folder)
  let heard = ''
  let connections = 0
  const server = createServer((socket) => {
    const challenge = { type: 'challenge', protocol: 2, nonce: NONCE, proof: NONCE }
    const start = connections++ % 2 === 0 ? `${JSON.stringify(challenge)}\n` : ''
    socket.setEncoding('utf8').on('error', () => {})
    socket.on('data', (text: string) => {
      heard += text
      socket.write(start + commands)
    })
  })
  const listens = () =>
    new Promise<boolean>((resolve) => {
      server.removeAllListeners('listening').removeAllListeners('error')
      server.once('error', () => resolve(false)).once('listening', () => resolve(true))
      server.listen(port, '127.0.0.1')
    })
  while (!(await listens()));
  return {
    heard: () => heard,
    get connections() {
      return connections
    },
    [Symbol.asyncDispose]: async () => void server.close(),
  }
}

/** Nothing was sent but the first line of the handshake, and nothing was run. */
function assertLearntNothing(heard: string, folder: string, token: string): void {
  for (const line of heard.trim().split('\n')) {
    assert.deepEqual(Object.keys(JSON.parse(line)), ['type', 'protocol', 'nonce'], line)
  }
  assert.ok(!heard.includes(token))
  assert.equal(existsSync(join(folder, 'ran')), false)
}

describe('a program that listens where a coordinator was killed', () => {
  it("gets nothing from the run's own workers, which run nothing for it and end", async () => {
    using folder = temporaryFolder()
    const meanwhile = async (run: RunningCommand) => {
      await until('blocks are done', () => chunksIn(join(folder.path, 'out.zarr/s')) > 5)
      const { port, token } = parseContext(contextIn(folder.path))
      const workers = childrenOf(run.pid)
      process.kill(run.pid, 'SIGKILL')
      await using impostor = await impostorAt(port, folder.path)
      await until('the workers have tried it', () => impostor.connections > 0)
      await until('the workers have ended', () => stillRunning(workers).length === 0)
      assertLearntNothing(impostor.heard(), folder.path, token)
    }
    await bellis(smooth('--workers', '2'), { cwd: folder.path, meanwhile })
  })

  it('gets nothing from a worker that joined, which then does the rest for the next start of the run', async () => {
    using folder = temporaryFolder()
    let worker: ReturnType<typeof runLine> | undefined
    const chunks = () => chunksIn(join(folder.path, 'out.zarr/s'))
    const meanwhile = async (run: RunningCommand) => {
      const line = await until('it says how', () => /^ {2}(bellis worker \S+)$/m.exec(run.output.stderr)?.[1])
      worker = runLine(line, { cwd: folder.path })
      await until('blocks are done', () => chunks() > 5)
      const { port, token } = parseContext(contextIn(folder.path))
      process.kill(run.pid, 'SIGKILL')
      await using impostor = await impostorAt(port, folder.path)
      await until('the worker has tried twice', () => impostor.connections > 1)
      // One that starts now finds the context that was left behind.
      const before = impostor.connections
      let late = 0
      const other = runLine(line, { cwd: folder.path, meanwhile: (child) => void (late = child.pid) })
      await until('both have tried', () => impostor.connections > before + 2)
      process.kill(late, 'SIGTERM')
      const { stderr } = await other
      assert.match(stderr, /Not connected: 127\.0\.0\.1:\d+ is not the coordinator of this context/)
      assertLearntNothing(impostor.heard(), folder.path, token)
    }
    await bellis(smooth('--pool', 'none'), { cwd: folder.path, meanwhile })
    const again = await bellis(smooth('--pool', 'none'), { cwd: folder.path })
    assert.equal(again.code, 0, again.stderr)
    const { code, stderr } = (await worker) ?? {}
    assert.equal(code, 0, stderr)
    assert.match(stderr ?? '', /Reconnected as w/)
  })
})

describe('connections without a proof', () => {
  it('leave a run with few open files enough of them to replace a worker that dies', async () => {
    using folder = temporaryFolder()
    const meanwhile = async (run: RunningCommand) => {
      await until('blocks are done', () => chunksIn(join(folder.path, 'out.zarr/s')) > 5)
      const { port } = parseContext(contextIn(folder.path))
      const sockets = Array.from({ length: 600 }, () => connect(port, '127.0.0.1').resume())
      let open = sockets.length
      for (const socket of sockets) socket.on('error', () => {}).once('close', () => open--)
      await until('most are closed again', () => open <= 64)
      process.kill(childrenOf(run.pid)[0] as number, 'SIGKILL')
      await until('the worker is replaced', () => /died|ended/.test(run.output.stderr))
    }
    const command = `ulimit -n 256; exec "$0" "$@"`
    const args = ['-c', command, process.execPath, program, ...smooth('--workers', '1')]
    const { code, stdout, stderr } = await runProgram('sh', args, { cwd: folder.path, meanwhile })
    assert.equal(code, 0, stderr)
    assert.match(stdout, /1152 of 1152 blocks/)
  })
})
