import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Environment } from '../../objects/credentials/credential-chain.ts'

/** The settings of one profile; those of a nested group are `group.name`, such as `s3.addressing_style`. */
export type Profile = Readonly<Record<string, string>>

export const profileName = (env: Environment): string => env.AWS_PROFILE ?? env.AWS_DEFAULT_PROFILE ?? 'default'

/** A profile of `~/.aws/config` and `~/.aws/credentials`, whose values count more; undefined if neither has it. */
export function readProfile(name: string, env: Environment): Profile | undefined {
  const folder = join(env.HOME ?? homedir(), '.aws')
  const config = sectionsOf(env.AWS_CONFIG_FILE ?? join(folder, 'config'))
  const credentials = sectionsOf(env.AWS_SHARED_CREDENTIALS_FILE ?? join(folder, 'credentials'))
  const found = [config.get(`profile ${name}`) ?? (name === 'default' ? config.get(name) : undefined)]
  found.push(credentials.get(name))
  return found.every((part) => part === undefined) ? undefined : Object.assign({}, ...found)
}

function sectionsOf(file: string): Map<string, Record<string, string>> {
  try {
    return parseSections(readFileSync(file, 'utf8'))
  } catch {
    // Missing, or not this user's.
    return new Map()
  }
}

/** The sections of a file in the format of AWS. */
export function parseSections(text: string): Map<string, Record<string, string>> {
  const sections = new Map<string, Record<string, string>>()
  let section: Record<string, string> = {}
  let group = ''
  for (const line of text.split(/\r?\n/)) {
    if (/^\s*([#;]|$)/.test(line)) continue
    const title = /^\s*\[\s*(.*?)\s*\]/.exec(line)?.[1]
    if (title !== undefined) {
      section = sections.get(title.replace(/\s+/g, ' ')) ?? {}
      sections.set(title.replace(/\s+/g, ' '), section)
      continue
    }
    const equals = line.indexOf('=')
    if (equals < 0) continue
    const [name, value] = [line.slice(0, equals).trim().toLowerCase(), line.slice(equals + 1).trim()]
    if (!/^\s/.test(line)) group = value === '' ? name : ''
    if (value !== '') section[/^\s/.test(line) && group !== '' ? `${group}.${name}` : name] = value
  }
  return sections
}
