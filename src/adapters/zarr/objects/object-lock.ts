import { InfrastructureError } from '../../../core/errors.ts'
import { hasEnded, thisMachine } from '../../files/process-identity.ts'
import type { FoundObject, S3Bucket } from '../../s3/s3-bucket.ts'
import type { HeldLockFile, LockFile } from '../lock-file.ts'
import { BEAT_MS, type LockHolder, newHolder, STALE_MS } from '../lock-holder.ts'

const MOST_BYTES = 65_536

/**
 * Takes a lock that is an object, which exists while it is held and names its holder. It is written only if there is none, and taken over only
 * from the very holder that was found dead: at once if that was a process of this machine, and after {@link STALE_MS} without a sign of life
 * if it was not.
 * @param where as users write it
 */
export async function takeObjectLock(
  bucket: S3Bucket,
  key: string,
  where: string,
  about: Readonly<Record<string, string>> = {},
): Promise<LockFile | HeldLockFile> {
  const mine = newHolder(about)
  const content = [new TextEncoder().encode(`${JSON.stringify(mine)}\n`)]
  for (;;) {
    // Reading tells who was first, even if the answer to a write was lost.
    const found = await bucket.get(key, { atMost: MOST_BYTES })
    if (typeof found !== 'object') {
      await bucket.put(key, content, { only: 'new' })
      continue
    }
    const holder = holderIn(found)
    if (holder?.token === mine.token) return new ObjectLock(bucket, key, where, mine, content)
    if (!(await isDead(found, holder))) return holder === undefined ? { status: 'held' } : { status: 'held', holder }
    await bucket.put(key, content, found.version === undefined ? {} : { only: { of: found.version } })
  }
}

/** Who holds a lock now; undefined if nobody does, or it can't be understood. */
export async function liveHolder(bucket: S3Bucket, key: string): Promise<LockHolder | undefined> {
  const found = await bucket.get(key, { atMost: MOST_BYTES })
  if (typeof found !== 'object') return undefined
  const holder = holderIn(found)
  return (await isDead(found, holder)) ? undefined : holder
}

/** Takes a lock, and waits for it if somebody else holds it. */
export async function awaitObjectLock(bucket: S3Bucket, key: string, where: string, everyMs = 100): Promise<LockFile> {
  for (;;) {
    const lock = await takeObjectLock(bucket, key, where)
    if (lock.status === 'taken') return lock
    await new Promise((resolve) => setTimeout(resolve, everyMs * (0.5 + Math.random())))
  }
}

/** @returns undefined if it can't be understood */
function holderIn({ body }: FoundObject): LockHolder | undefined {
  try {
    const holder = JSON.parse(new TextDecoder().decode(body)) as Partial<LockHolder>
    return typeof holder.token === 'string' && typeof holder.pid === 'number' ? (holder as LockHolder) : undefined
  } catch {
    return undefined
  }
}

const isDead = async ({ writtenMs, nowMs }: FoundObject, holder: LockHolder | undefined): Promise<boolean> =>
  holder?.machine === thisMachine() ? hasEnded(holder) : nowMs - writtenMs > STALE_MS

class ObjectLock implements LockFile {
  readonly status = 'taken'
  readonly #bucket: S3Bucket
  readonly #key: string
  readonly #where: string
  readonly #holder: LockHolder
  readonly #content: readonly Uint8Array[]
  readonly #losing = new AbortController()
  readonly #timer: NodeJS.Timeout
  #isHeld = true

  constructor(bucket: S3Bucket, key: string, where: string, holder: LockHolder, content: readonly Uint8Array[]) {
    this.#bucket = bucket
    this.#key = key
    this.#where = where
    this.#holder = holder
    this.#content = content
    this.#timer = setInterval(() => void this.#beat().catch(() => {}), BEAT_MS).unref()
  }

  get lost(): AbortSignal {
    return this.#losing.signal
  }

  abandon(): void {
    this.#isHeld = false
    clearInterval(this.#timer)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isHeld) return
    this.abandon()
    const found = await this.#bucket.get(this.#key, { atMost: MOST_BYTES })
    if (typeof found === 'object' && holderIn(found)?.token === this.#holder.token) await this.#bucket.remove(this.#key)
  }

  /** Writes the object again: its time is the sign of life. */
  async #beat(): Promise<void> {
    const found = await this.#bucket.get(this.#key, { atMost: MOST_BYTES })
    if (!this.#isHeld) return
    const holder = typeof found === 'object' ? holderIn(found) : undefined
    if (typeof found !== 'object' || holder?.token !== this.#holder.token) return this.#lose(holder)
    await this.#bucket.put(this.#key, this.#content, found.version === undefined ? {} : { only: { of: found.version } })
  }

  #lose(holder: LockHolder | undefined): void {
    this.abandon()
    const what = holder === undefined ? 'was removed' : `was taken over by process ${holder.pid} on ${holder.host}`
    const message = `${this.#where} ${what}, so the array there no longer belongs to this process, which stops here.`
    this.#losing.abort(new InfrastructureError('RUN_LOCKED', message))
  }
}
