import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { errnoOf } from '../../core/system-errors.ts'

/** How long a process that was killed may take to end: it completes its calls to the system first, and a busy disk is slow. */
export const ENDING_MS = 15_000
/** In the flags of a process in Linux: it is ending. */
const PF_EXITING = 0x4
/** The bit of SIGKILL in a mask of signals in Linux. */
const SIGKILL_BIT = 0x100n

/** What tells a process apart from every other one, on this machine and on others, now and later. */
export interface ProcessIdentity {
  readonly host: string
  /** The machine since it was started, and the namespace of its process ids: host names and process ids are not unique. */
  readonly machine: string
  readonly pid: number
  /** When the process was started, as the system counts; absent if the system does not say. */
  readonly processStart?: string
  /** The process that it ends with, soon after it. */
  readonly parent?: { readonly pid: number; readonly processStart?: string }
}

let parent: ProcessIdentity['parent']

/** Declares that this process ends soon after its parent, however that ends: from now on its identity says so. */
export function endsWithParent(): void {
  parent = withStart(process.ppid)
}

/** The identity of this process. */
export function identityOfProcess(): ProcessIdentity {
  return {
    host: hostname(),
    machine: thisMachine(),
    ...withStart(process.pid),
    ...(parent === undefined ? {} : { parent }),
  }
}

function withStart(pid: number): { readonly pid: number; readonly processStart?: string } {
  const processStart = startOf(pid)
  return { pid, ...(processStart === undefined ? {} : { processStart }) }
}

/**
 * Whether a process is known to have ended. False for processes of other machines, of which nothing is known here. Waits for one that was
 * killed, or whose parent has ended, but is still ending, for at most {@link ENDING_MS}.
 */
export async function hasEnded(process_: Partial<ProcessIdentity> & { readonly pid: number }): Promise<boolean> {
  if (process_.machine !== thisMachine()) return false
  for (const end = performance.now() + ENDING_MS; ; await delay(20)) {
    if (isOver(process_)) return true
    if (!isEnding(process_) || performance.now() > end) return false
  }
}

function isOver({ pid, processStart }: Pick<ProcessIdentity, 'pid' | 'processStart'>): boolean {
  if (processStart !== undefined) return startOf(pid) !== processStart
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return errnoOf(error) === 'ESRCH'
  }
}

/** Whether a process of this machine was killed, or is ending for another reason, such as the end of its parent. */
export function isEnding({ pid, parent }: Pick<ProcessIdentity, 'pid' | 'parent'>): boolean {
  return wasKilled(pid) || (parent?.pid !== undefined && isOver(parent))
}

/** False if the system does not say, as outside of Linux. */
function wasKilled(pid: number): boolean {
  try {
    if ((Number(statOf(pid)[6]) & PF_EXITING) !== 0) return true
    const masks = readFileSync(`/proc/${pid}/status`, 'utf8').matchAll(/^(?:SigPnd|ShdPnd):\s*([0-9a-f]+)$/gm)
    return [...masks].some(([, pending]) => (BigInt(`0x${pending}`) & SIGKILL_BIT) !== 0n)
  } catch {
    return false
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
    const fields = statOf(pid)
    // A process that has ended stays in the table until its parent asks for it, which some never do. While others of its threads have not
    // ended, it looks the same, but they can still write.
    const isLeft = /[ZX]/.test(fields[0] ?? '') && readdirSync(`/proc/${pid}/task`).length < 2
    return isLeft ? undefined : fields[19]
  } catch {
    return undefined
  }
}

/**
 * What Linux says of a process, from its state on.
 * @throws the system's error if there is no such process
 */
function statOf(pid: number): string[] {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name of the program, in parentheses, may contain anything.
  return text.slice(text.lastIndexOf(')') + 2).split(' ')
}
