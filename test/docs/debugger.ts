import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'

/** A stop at a breakpoint. */
export interface Stop {
  /** URL of the file. */
  readonly file: string
  /** The line number as in an editor, from 1. */
  readonly line: number
}

/** A Node program under a debugger. Disposing kills it if it is still running. */
export interface Debugger extends AsyncDisposable {
  breakAt(fileName: string, line: number): Promise<void>
  continueToStop(): Promise<Stop>
  /** The value of an expression where the program has stopped. */
  evaluate(expression: string): Promise<unknown>
  /** Detaches and lets the program run. @returns its exit code */
  end(): Promise<number | null>
}

interface Frame {
  readonly callFrameId: string
  readonly location: { readonly scriptId: string; readonly lineNumber: number }
}

/**
 * Starts Node with arguments that contain `--inspect-brk`, and attaches as Chrome and VS Code do.
 * @see https://chromedevtools.github.io/devtools-protocol/v8/Debugger/
 */
export async function debugProgram(args: readonly string[], cwd: string): Promise<Debugger> {
  const anyPort = args.map((arg) => (arg === '--inspect-brk' ? '--inspect-brk=0' : arg))
  const child = spawn(process.execPath, anyPort, { cwd, stdio: ['ignore', 'ignore', 'pipe'] })
  const closed = once(child, 'close') as Promise<[number | null]>
  const socket = new WebSocket(await inspectorAddress(child.stderr))
  await once(socket, 'open')

  const scripts = new Map<string, string>()
  const answers = new Map<number, (result: never) => void>()
  let frame: Frame | undefined
  let onStop = (_: Frame) => {}
  socket.addEventListener('message', ({ data }) => {
    const { id, result, method, params } = JSON.parse(data as string)
    if (id !== undefined) answers.get(id)?.(result as never)
    if (method === 'Debugger.scriptParsed') scripts.set(params.scriptId, params.url)
    if (method === 'Debugger.paused') onStop(params.callFrames[0])
  })
  let count = 0
  const call = <Result>(method: string, params: object = {}): Promise<Result> => {
    const { promise, resolve } = Promise.withResolvers<Result>()
    answers.set(++count, resolve)
    socket.send(JSON.stringify({ id: count, method, params }))
    return promise
  }
  const stopped = (): Promise<Frame> => {
    const { promise, resolve } = Promise.withResolvers<Frame>()
    onStop = resolve
    return promise
  }

  await call('Runtime.enable')
  await call('Debugger.enable')
  const atStart = stopped()
  await call('Runtime.runIfWaitingForDebugger')
  await atStart
  return {
    async breakAt(fileName, line) {
      const urlRegex = `/${fileName.replaceAll('.', '\\.')}$`
      await call('Debugger.setBreakpointByUrl', { urlRegex, lineNumber: line - 1 })
    },
    async continueToStop() {
      const next = stopped()
      await call('Debugger.resume')
      frame = await next
      const { scriptId, lineNumber } = frame.location
      return { file: scripts.get(scriptId) ?? '', line: lineNumber + 1 }
    },
    async evaluate(expression) {
      const { callFrameId } = frame as Frame
      const { result } = await call<{ result: { value: unknown } }>('Debugger.evaluateOnCallFrame', {
        callFrameId,
        expression,
      })
      return result.value
    },
    async end() {
      await call('Debugger.disable')
      socket.close()
      const [code] = await closed
      return code
    },
    async [Symbol.asyncDispose]() {
      socket.close()
      if (child.exitCode === null) child.kill('SIGKILL')
      await closed
    },
  }
}

/** The address at which the program waits for a debugger. */
async function inspectorAddress(stderr: Readable): Promise<string> {
  let text = ''
  for await (const chunk of stderr.iterator({ destroyOnReturn: false })) {
    text += chunk
    const [address] = /ws:\/\/\S+/.exec(text) ?? []
    if (address !== undefined) {
      stderr.resume()
      return address
    }
  }
  throw new Error(`no debugger: ${text}`)
}
