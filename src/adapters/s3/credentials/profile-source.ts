import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { InfrastructureError } from '../../../core/errors.ts'
import { given } from '../../../core/given.ts'
import type { CredentialSource, Environment } from '../../objects/credentials/credential-chain.ts'
import { sourceFailed } from '../../objects/credentials/fetch-text.ts'
import type { Credentials } from './credentials.ts'
import { parseHandedOut } from './machine-sources.ts'
import { type Profile, profileName, readProfile } from './profile-files.ts'
import { assumeRole, roleOfWebIdentity } from './web-identity.ts'

/** Roles that are taken one by another; more are a cycle. */
const MOST_ROLES = 5
const PROGRAM_TIMEOUT_MS = 60_000
const execute = promisify(execFile)

/** Credentials of a profile in `~/.aws`: its own, those of a role, or what a program of it prints. The files are read again each time. */
export const profileSource = (env: Environment, region: string): CredentialSource<Credentials> => ({
  name: `the profile ${profileName(env)}`,
  remedy: `renew those of the profile ${profileName(env)} ("aws sso login", for example)`,
  async load() {
    const name = profileName(env)
    const profile = readProfile(name, env)
    if (profile !== undefined) return credentialsOf(name, profile, { env, region, depth: 0 })
    if (env.AWS_PROFILE === undefined) return undefined
    throw new InfrastructureError('UNAUTHORIZED', `There is no profile "${name}" in ~/.aws; check AWS_PROFILE.`)
  },
})

interface Place {
  readonly env: Environment
  readonly region: string
  readonly depth: number
}

async function credentialsOf(name: string, profile: Profile, place: Place): Promise<Credentials | undefined> {
  const { aws_access_key_id: accessKeyId, aws_secret_access_key: secretAccessKey, aws_session_token: token } = profile
  if (profile.role_arn !== undefined) return credentialsOfRole(name, profile, profile.role_arn, place)
  if (accessKeyId !== undefined && secretAccessKey !== undefined) {
    return { accessKeyId, secretAccessKey, ...(token === undefined ? {} : { sessionToken: token }) }
  }
  if (profile.credential_process !== undefined) return runProgram(name, profile.credential_process)
  if (profile.sso_session === undefined && profile.sso_start_url === undefined) return undefined
  throw new InfrastructureError(
    'UNAUTHORIZED',
    `The profile ${name} signs in through SSO, whose credentials only the AWS CLI can get; run eval "$(aws configure export-credentials --profile ${name} --format env)" first.`,
  )
}

async function credentialsOfRole(
  name: string,
  profile: Profile,
  role: string,
  { env, region, depth }: Place,
): Promise<Credentials> {
  const session = given({ session: profile.role_session_name })
  if (profile.web_identity_token_file !== undefined) {
    return roleOfWebIdentity({ file: profile.web_identity_token_file, role, ...session }, env, region)
  }
  const { source_profile: source } = profile
  const found = source === undefined ? undefined : readProfile(source, env)
  // A profile that names itself has its own credentials for it.
  const { role_arn: _, ...own } = profile
  const next = source === name ? own : found
  const by =
    next === undefined || depth >= MOST_ROLES
      ? undefined
      : await credentialsOf(source as string, next, { env, region, depth: depth + 1 })
  if (by !== undefined) {
    return assumeRole({ role, ...session, ...given({ externalId: profile.external_id }) }, by, env, region)
  }
  throw new InfrastructureError(
    'UNAUTHORIZED',
    `The profile ${name} takes the role ${role}, and its source_profile ("${source ?? ''}") has no credentials; check it in ~/.aws.`,
  )
}

/** Runs the program that the user's own settings name. */
async function runProgram(name: string, command: string): Promise<Credentials> {
  try {
    const { stdout } = await execute('/bin/sh', ['-c', command], { timeout: PROGRAM_TIMEOUT_MS })
    return parseHandedOut(stdout)
  } catch {
    // What it printed may be secret.
    throw sourceFailed(
      `the credential_process of the profile ${name}`,
      new Error('it failed, or printed no credentials'),
    )
  }
}
