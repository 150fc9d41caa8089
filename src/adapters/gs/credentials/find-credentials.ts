import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { BearerToken } from '../../objects/credentials/bearer-token.ts'
import { CredentialChain, type CredentialSource, type Environment } from '../../objects/credentials/credential-chain.ts'
import { tokenOfFile } from './credential-file.ts'
import { metadataSource } from './metadata-server.ts'

/** The file that GOOGLE_APPLICATION_CREDENTIALS names. */
const namedSource = (env: Environment): CredentialSource<BearerToken> => ({
  name: 'GOOGLE_APPLICATION_CREDENTIALS',
  remedy: 'get another key for the account, and set GOOGLE_APPLICATION_CREDENTIALS to its file',
  load: async () => {
    const file = env.GOOGLE_APPLICATION_CREDENTIALS
    return file ? tokenOfFile(file) : undefined
  },
})

/** The file that `gcloud auth application-default login` writes. */
const gcloudSource = (env: Environment): CredentialSource<BearerToken> => ({
  name: "gcloud's application default credentials",
  remedy: 'run "gcloud auth application-default login"',
  load: async () => {
    const base = env.APPDATA ? join(env.APPDATA, 'gcloud') : join(env.HOME ?? homedir(), '.config', 'gcloud')
    const file = join(env.CLOUDSDK_CONFIG || base, 'application_default_credentials.json')
    return existsSync(file) ? tokenOfFile(file) : undefined
  },
})

/** Credentials where Google's own libraries look for them, in their order: the environment, gcloud's file, and the machine. */
export const findGoogleCredentials = (env: Environment): CredentialChain<BearerToken> =>
  new CredentialChain([namedSource(env), gcloudSource(env), metadataSource(env)])
