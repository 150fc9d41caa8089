import { basename, join } from 'node:path'
import { sqliteProgress } from '../../adapters/sqlite/sqlite-progress.ts'
import { ConfigError } from '../../core/errors.ts'
import type { ProgressStore } from '../../ports/progress-store.ts'
import { nameInDatabase } from './run-place.ts'

/** Where progress is kept: in the run's folder, nowhere, in a database by its URL, or in a store of one's own. */
export type ProgressPlace = 'sqlite' | 'none' | (string & {}) | ProgressStore

const FILE = 'progress.sqlite'

/**
 * @param place a URL without credentials gets those of the variable `BELLIS_DB`, where that is the same place
 * @param folder the run's
 * @throws ConfigError `INVALID_CONFIG` for a place that is none
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
    // Its driver takes longer to load than all else.
    const { mongodbProgress } = await import('../../adapters/mongodb/mongodb-progress.ts')
    return mongodbProgress(withCredentials(place), { fsync })
  }
  // Not with the value: what is nearly a URL may hold a password.
  throw new ConfigError(
    'INVALID_CONFIG',
    'Progress is kept in "sqlite", in "none", or at a URL that begins with mongodb://.',
  )
}

/** A URL as it was written down, with the credentials that `BELLIS_DB` has for that place. */
export function withCredentials(url: string): string {
  const { BELLIS_DB = '' } = process.env
  return BELLIS_DB !== '' && describePlace(BELLIS_DB) === url ? BELLIS_DB : url
}

/** Options of a URL that let one in. */
const SECRET_OPTION = /password|secret|token|authmechanismproperties/i

/** A place as it is written down: without what lets one in. */
export const describePlace = (place: ProgressPlace): string =>
  typeof place === 'object' ? 'custom' : withoutCredentials(place)

/** A text without the credentials of the database's URL that it ends with, if it does. */
export function withoutCredentials(text: string): string {
  return text.replace(/(mongodb(?:\+srv)?:\/\/)(.*)$/s, (_, scheme: string, rest: string) => {
    // What is before the last @, whatever is in it; or after it, where that is an option.
    const [place = '', options] = rest.slice(rest.lastIndexOf('@') + 1).split(/\?(.*)/s)
    const kept = (options ?? '').split('&').filter((option) => option !== '' && !SECRET_OPTION.test(option))
    return `${scheme}${place}${kept.length > 0 ? `?${kept.join('&')}` : ''}`
  })
}

/** The name of a run's record in its store. */
export const recordName = (store: ProgressStore, folder: string): string =>
  store.lock === undefined ? basename(folder) : nameInDatabase(folder)
