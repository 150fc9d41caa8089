import type { ChildProcess } from 'node:child_process'

/** The next message of a type from a process. */
export function heard<Message>(from: ChildProcess, type: string): Promise<Message> {
  return new Promise((resolve, reject) => {
    const end = () => reject(new Error(`a process ended before it said "${type}"`))
    const receive = (message: unknown) => {
      if ((message as { readonly type: string }).type !== type) return
      from.off('message', receive)
      from.off('exit', end)
      resolve(message as Message)
    }
    from.on('message', receive)
    from.on('exit', end)
  })
}
