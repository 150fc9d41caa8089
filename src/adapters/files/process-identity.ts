import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { errnoOf } from '../../core/system-errors.ts'

/** What tells a process apart from every other one, on this machine and on others, now and later. */
export interface ProcessIdentity {
  readonly host: string
  /** The machine since it was started, and the namespace of its process ids: host names and process ids are not unique. */
  readonly machine: string
  readonly pid: number
  /** When the process was started, as the system counts; absent if the system does not say. */
  readonly processStart?: string
}

/** The identity of this process. */
export function identityOfProcess(): ProcessIdentity {
  const processStart = startOf(process.pid)
  return {
    host: hostname(),
    machine: thisMachine(),
    pid: process.pid,
    ...(processStart === undefined ? {} : { processStart }),
  }
}

/** Whether a process is known to have ended. False for processes of other machines, of which nothing is known here. */
export function hasEnded({ machine, pid, processStart }: Partial<ProcessIdentity> & { readonly pid: number }): boolean {
  if (machine !== thisMachine()) return false
  if (processStart !== undefined) return startOf(pid) !== processStart
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return errnoOf(error) === 'ESRCH'
  }
}

/** Names this machine since it was started; undefined if the system does not say, as outside of Linux. */
export function bootId(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return undefined
  }
}

/** This machine, as identities name it. Containers share a boot and may share a name, but not their process ids. */
export function thisMachine(): string {
  const parts = [hostname()]
  try {
    const namespace = readlinkSync('/proc/self/ns/pid')
    const boot = bootId()
    if (boot !== undefined) parts.push(boot, namespace)
  } catch {
    // Not Linux.
  }
  return parts.join(' ')
}

/** When a process of this machine was started, in ticks since the boot; undefined if it has ended, or if the system does not say. */
function startOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name of the program, in parentheses, may contain anything. After it come the state and, as the 20th field, the start.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    // A process that has ended stays in the table until its parent asks for it, which some never do.
    return /[ZX]/.test(fields[0] ?? '') ? undefined : fields[19]
  } catch {
    return undefined
  }
}
