import { MOST_HOLDER_BYTES } from '../lock-holder.ts'
import { LOCK_FILE, MARK_FILE, runIsOver } from '../write-guard.ts'
import { liveHolder, takeObjectLock } from './object-lock.ts'
import { objectPlace } from './object-store.ts'

/** How long what was found of an owner holds: asking before each write would double the requests. */
export const KNOWN_MS = 1000

/** The place of an object beside the chunks of an array. @param path of the array */
function placeBeside(path: string, name: string) {
  const { bucket, address } = objectPlace(path)
  return { bucket, key: `${address.key}/${name}`, where: `${path}/${name}` }
}

/** The text of the mark of an array; undefined if it has none. */
export async function readObjectMark(path: string): Promise<string | undefined> {
  const { bucket, key } = placeBeside(path, MARK_FILE)
  const found = await bucket.get(key, { atMost: MOST_HOLDER_BYTES })
  return typeof found === 'object' ? new TextDecoder().decode(found.body) : undefined
}

export async function writeObjectMark(path: string, text: string): Promise<void> {
  const { bucket, key } = placeBeside(path, MARK_FILE)
  await bucket.put(key, [new TextEncoder().encode(text)])
}

/** The lock of the run that writes an array. */
export function takeArrayLock(path: string, about: Readonly<Record<string, string>>) {
  const { bucket, key, where } = placeBeside(path, LOCK_FILE)
  return takeObjectLock(bucket, key, where, about)
}

/** The process that is writing an array now, for a run. */
export function arrayHolder(path: string) {
  const { bucket, key } = placeBeside(path, LOCK_FILE)
  return liveHolder(bucket, key)
}

/**
 * Returns a function that throws once an array is marked as that of another run, has no mark any more, or is about to be taken. What it found
 * holds for {@link KNOWN_MS}.
 * @param folder of the array
 * @param owner the id in the mark of the run that writes, now
 * @throws ConfigError `RUN_LOCKED`
 */
export function objectGuard(
  folder: string,
  owner: () => string,
  now: () => number = () => performance.now(),
): () => Promise<void> {
  const mark = placeBeside(folder, MARK_FILE)
  const lock = placeBeside(folder, LOCK_FILE)
  let asking:
    | { readonly since: number; readonly answer: Promise<{ readonly id: unknown; readonly replaced: unknown }> }
    | undefined
  const ask = async () => {
    const [marked, locked] = await Promise.all(
      [mark, lock].map(({ bucket, key }) => bucket.get(key, { atMost: MOST_HOLDER_BYTES })),
    )
    const { id } = jsonOf<{ id?: unknown }>(marked)
    return { id, replaced: jsonOf<{ about?: { replaces?: unknown } }>(locked).about?.replaces }
  }
  return async () => {
    if (asking === undefined || now() - asking.since > KNOWN_MS) {
      asking = { since: now(), answer: ask() }
      asking.answer.catch(() => {
        asking = undefined
      })
    }
    const { id, replaced } = await asking.answer
    if (id !== owner() || replaced === owner()) {
      asking = undefined
      throw runIsOver(folder)
    }
  }
}

function jsonOf<Found extends object>(found: unknown): Partial<Found> {
  try {
    const text = new TextDecoder().decode((found as { readonly body: Uint8Array }).body)
    return (JSON.parse(text) ?? {}) as Partial<Found>
  } catch {
    return {}
  }
}
