import { CredentialChain, type CredentialSource, type Environment } from '../../objects/credentials/credential-chain.ts'
import type { Credentials } from './credentials.ts'
import { containerSource, instanceSource } from './machine-sources.ts'
import { profileSource } from './profile-source.ts'
import { webIdentitySource } from './web-identity.ts'

/** Credentials in the variables of the process. */
const environmentSource = (env: Environment): CredentialSource<Credentials> => ({
  name: 'the environment (AWS_ACCESS_KEY_ID)',
  remedy: 'set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN to new ones',
  async load() {
    const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: token } = env
    if (!accessKeyId || !secretAccessKey) return undefined
    return { accessKeyId, secretAccessKey, ...(token ? { sessionToken: token } : {}) }
  },
})

/**
 * Credentials where AWS's own programs look for them, in their order: the environment, the profile, the token of a web identity, the
 * container and the instance.
 */
export const findCredentials = (env: Environment, region: string): CredentialChain<Credentials> =>
  new CredentialChain([
    environmentSource(env),
    profileSource(env, region),
    webIdentitySource(env, region),
    containerSource(env),
    instanceSource(env),
  ])
