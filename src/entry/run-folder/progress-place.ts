import { basename, join } from 'node:path'
import { sqliteProgress } from '../../adapters/sqlite/sqlite-progress.ts'
import { ConfigError } from '../../core/errors.ts'
import { digitsOfRun } from '../../core/text/run-name.ts'
import type { ProgressStore } from '../../ports/progress-store.ts'
import { nameInDatabase } from './run-place.ts'

/** Where progress is kept: in the run's folder (`sqlite`), nowhere (`none`), in a database (its URL), or in a custom store. */
export type ProgressPlace = 'sqlite' | 'none' | (string & {}) | ProgressStore

const FILE = 'progress.sqlite'

/**
 * @param place a URL without credentials gets those of the variable `BELLIS_DB`, if that is the same database
 * @param folder of the run
 * @throws ConfigError `INVALID_CONFIG` if the place is not valid
 */
export async function openProgressStore(
  place: ProgressPlace,
  folder: string,
  fsync = false,
): Promise<ProgressStore | undefined> {
  if (typeof place === 'object') return place
  if (place === 'none' || place === 'custom') return undefined
  if (place === 'sqlite') return sqliteProgress(join(folder, FILE), { fsync })
  if (/^mongodb(\+srv)?:\/\//.test(place)) {
    // The driver is slow to load.
    const { mongodbProgress } = await import('../../adapters/mongodb/mongodb-progress.ts')
    return mongodbProgress(withCredentials(place), { fsync })
  }
  // The message leaves out the value: a mistyped URL may contain a password.
  throw new ConfigError(
    'INVALID_CONFIG',
    'Invalid place for progress: expected "sqlite", "none", or a URL that starts with mongodb://.',
  )
}

/** A recorded URL with the credentials from `BELLIS_DB`, if that is the same database. */
export function withCredentials(url: string): string {
  const { BELLIS_DB = '' } = process.env
  return BELLIS_DB !== '' && describePlace(BELLIS_DB) === url ? BELLIS_DB : url
}

/** URL options that contain credentials. */
const SECRET_OPTION = /password|secret|token|authmechanismproperties/i

/** A place as it is recorded: without credentials. */
export const describePlace = (place: ProgressPlace): string =>
  typeof place === 'object' ? 'custom' : withoutCredentials(place)

/** Removes the credentials from a text that ends with a database URL. */
export function withoutCredentials(text: string): string {
  return text.replace(/(mongodb(?:\+srv)?:\/\/)(.*)$/s, (_, scheme: string, rest: string) => {
    // Credentials are everything before the last @, and some options after it.
    const [place = '', options] = rest.slice(rest.lastIndexOf('@') + 1).split(/\?(.*)/s)
    const kept = (options ?? '').split('&').filter((option) => option !== '' && !SECRET_OPTION.test(option))
    return `${scheme}${place}${kept.length > 0 ? `?${kept.join('&')}` : ''}`
  })
}

/**
 * The name of a run's record in its store. In a database it may be that of an earlier folder of the same run, which was removed: a folder
 * is also named after the pipeline, and that may have another name by now.
 */
export async function recordName(store: ProgressStore, folder: string): Promise<string> {
  if (store.lock === undefined) return basename(folder)
  const name = nameInDatabase(folder)
  const digits = digitsOfRun(basename(folder))
  if (store.find === undefined || digits === undefined || (await isRecorded(store, name))) return name
  const [earlier = name] = await store.find(`${digits}${name.slice(basename(folder).length)}`)
  return earlier
}

async function isRecorded(store: ProgressStore, run: string): Promise<boolean> {
  await using reader = await store.read(run)
  return reader !== undefined
}
