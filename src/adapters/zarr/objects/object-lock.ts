import { setTimeout as delay } from 'node:timers/promises'
import type { FoundObject, ObjectBucket } from '../../../ports/object-bucket.ts'
import { type LockHolder, MOST_HOLDER_BYTES, newHolder, ownSilence, parseHolder, STALE_MS } from '../lock-holder.ts'
import { awaitLock, type HeldLockFile, type LockFile, type LockPlace, TakenLock } from '../taken-lock.ts'

/**
 * How long those who write a lock at the same moment may be apart, if the service does not know conditions, or looks at them before it writes
 * and not while it does (as servers that keep objects as files).
 */
const SETTLE_MS = 2000

/**
 * Takes a lock that is an object, which exists while it is held and names its holder. It is written only if there is none, and taken over only
 * from the very holder that was found dead: at once if that was a process of this machine, and after {@link STALE_MS} without a sign of life
 * if it was not.
 * @param where as users write it
 */
export async function takeObjectLock(
  bucket: ObjectBucket,
  key: string,
  where: string,
  about: Readonly<Record<string, string>> = {},
): Promise<LockFile | HeldLockFile> {
  const mine = newHolder(about)
  const content = [new TextEncoder().encode(`${JSON.stringify(mine)}\n`)]
  let isTakenOver = false
  let isSettled = false
  for (;;) {
    // Reading tells who was first, even if the answer to a write was lost.
    const found = await bucket.get(key, { atMost: MOST_HOLDER_BYTES })
    if (typeof found !== 'object') {
      await bucket.put(key, content, { only: 'new' })
      continue
    }
    const holder = holderIn(found)
    if (holder?.token === mine.token) {
      if (isSettled || (!isTakenOver && (await bucket.put(key, content, { only: 'new' })) === 'refused')) {
        return new TakenLock(placeOf(bucket, key, where, content), mine)
      }
      // Others may have written the lock at the same moment, and the last one has it.
      isSettled = true
      await delay(SETTLE_MS)
      continue
    }
    const silentMs = await silenceOf(found, holder)
    if (silentMs <= STALE_MS)
      return holder === undefined ? { status: 'held', silentMs } : { status: 'held', silentMs, holder }
    await replace(bucket, key, content, found)
    isTakenOver = true
  }
}

/** Writes a lock in place of the very one that was found. */
const replace = (bucket: ObjectBucket, key: string, content: readonly Uint8Array[], { version }: FoundObject) =>
  bucket.put(key, content, version === undefined ? {} : { only: { of: version } })

/** Who holds a lock now; undefined if nobody does, or it can't be understood. */
export async function liveHolder(bucket: ObjectBucket, key: string): Promise<LockHolder | undefined> {
  const found = await bucket.get(key, { atMost: MOST_HOLDER_BYTES })
  if (typeof found !== 'object') return undefined
  const holder = holderIn(found)
  return (await silenceOf(found, holder)) > STALE_MS ? undefined : holder
}

/** Takes a lock, and waits for it if somebody else holds it. */
export const awaitObjectLock = (bucket: ObjectBucket, key: string, where: string, everyMs = 100): Promise<LockFile> =>
  awaitLock(() => takeObjectLock(bucket, key, where), { everyMs })

const placeOf = (bucket: ObjectBucket, key: string, where: string, content: readonly Uint8Array[]): LockPlace => ({
  where,
  what: 'the array there',
  async look() {
    const found = await bucket.get(key, { atMost: MOST_HOLDER_BYTES })
    if (typeof found !== 'object') return { holder: undefined, touch: async () => {} }
    return { holder: holderIn(found), touch: () => replace(bucket, key, content, found) }
  },
  remove: () => bucket.remove(key),
})

const holderIn = ({ body }: FoundObject): LockHolder | undefined => parseHolder(new TextDecoder().decode(body))

const silenceOf = async ({ writtenMs, nowMs }: FoundObject, holder: LockHolder | undefined): Promise<number> =>
  // Nobody counts as dead because a service does not say when.
  (await ownSilence(holder)) ?? (Number.isFinite(nowMs - writtenMs) ? nowMs - writtenMs : 0)
