import type { Collection } from 'mongodb'
import { ConfigError, InfrastructureError } from '../../core/errors.ts'
import { showTime } from '../../core/text/local-time.ts'
import type { LockOwner, RunLock } from '../../ports/progress-store.ts'
import type { MongodbConnection } from './mongodb-connection.ts'
import { damagedRecord } from './mongodb-errors.ts'
import { isDuplicateKey, type KeyedDocument, keyOf, within } from './mongodb-keys.ts'

/** How often the holder of a lock sends a heartbeat. */
const BEAT_MS = 5000
/** A holder whose last heartbeat is older than this counts as dead. */
const STALE_MS = 30_000

/**
 * Who holds or held a run. Each acquisition inserts a document with the next number, and the highest number is the holder.
 * A server only has to support unique keys; neither transactions nor atomic updates are needed.
 */
interface LockDocument extends LockOwner, KeyedDocument {
  readonly run: string
  readonly number: number
  /** The server's time of the last heartbeat; 1970 once the lock was released. */
  readonly beat: Date
}

/** A lock whose holder can check that it still has it. */
export interface HeldLock extends RunLock {
  /** Counts up from holder to holder of a run. */
  readonly number: number
  /** @throws InfrastructureError `RUN_LOCKED` when another process has taken the run over */
  check(): Promise<void>
}

/**
 * Locks a run, or takes its lock over from a holder that counts as dead.
 * @throws ConfigError `RUN_LOCKED`
 */
export async function lockRun(
  connection: MongodbConnection,
  run: string,
  owner: LockOwner,
  hasEnded: (holder: LockOwner) => Promise<boolean>,
): Promise<HeldLock> {
  const { name, database } = connection
  const attempt = <T>(action: () => Promise<T>) => connection.attempt(action)
  const locks = database.collection<LockDocument>('locks')
  const before = await attempt(() => latestLock(locks, run))
  const now = await attempt(async () => (await database.command({ hello: 1 })).localTime as Date)
  if (before !== undefined && !isStale(before, now) && !(await hasEnded(before))) throw refusal(before, name)
  const number = numberOf(before, name) + 1
  const _id = keyOf(run, number)
  try {
    await attempt(() => locks.insertOne({ _id, run, number, beat: now, ...owner }))
  } catch (error) {
    if (!isDuplicateKey(error)) throw error
  }
  const holder = (await attempt(() => latestLock(locks, run))) as LockDocument
  if (!isOf(holder, owner) || holder._id !== _id) throw refusal(holder, name)
  await attempt(() => locks.deleteMany({ _id: { ...within(run), $lt: _id } }))

  const lost = new AbortController()
  const check = async (): Promise<void> => {
    const latest = await latestLock(locks, run)
    if (latest?._id === _id) return
    const by = latest === undefined ? 'someone' : `process ${latest.pid} on ${latest.host}`
    const message = `${run} was taken over by ${by}, since this process sent no heartbeat for ${STALE_MS / 1000} s; it stops here.`
    const reason = new InfrastructureError('RUN_LOCKED', message)
    lost.abort(reason)
    throw reason
  }
  const beat = async () => {
    await check()
    await locks.updateOne({ _id }, { $currentDate: { beat: true } })
  }
  // Commits report a lost server; the lock is checked again once the server is back.
  const timer = setInterval(() => attempt(beat).catch(() => {}), BEAT_MS).unref()
  let isHeld = true
  return {
    number,
    lost: lost.signal,
    check,
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      if (!isHeld) return
      isHeld = false
      // If this fails, the lock is taken over later, as after a crash.
      await attempt(() => locks.updateOne({ _id }, { $set: { beat: new Date(0) } })).catch(() => {})
    },
  }
}

/** @throws InfrastructureError `CORRUPT_DATA` for a number that others have changed */
function numberOf(lock: LockDocument | undefined, name: string): number {
  const { run, number = 0 } = lock ?? {}
  if (Number.isSafeInteger(number) && number >= 0) return number
  throw damagedRecord(`The lock of ${run} in ${name}`, 'its field "number" was changed')
}

const latestLock = async (locks: Collection<LockDocument>, run: string): Promise<LockDocument | undefined> =>
  (await locks.findOne({ _id: within(run) }, { sort: { _id: -1 } })) ?? undefined

/** A document that others have changed is nobody's sign of life. */
const isStale = ({ beat }: LockDocument, now: Date): boolean =>
  !(beat instanceof Date) || now.getTime() - beat.getTime() > STALE_MS

const isOf = (lock: LockDocument, owner: LockOwner): boolean =>
  lock.host === owner.host && lock.machine === owner.machine && lock.pid === owner.pid && lock.since === owner.since

function refusal({ run, host, pid, since }: LockDocument, name: string): ConfigError {
  const when = showTime(new Date(since).toISOString())
  return new ConfigError(
    'RUN_LOCKED',
    `${run} in ${name} has been run by process ${pid} on ${host} since ${when}; wait for it, or stop it.`,
  )
}
