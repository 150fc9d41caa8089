import { CredentialChain, type CredentialSource, type Environment } from '../../objects/credentials/credential-chain.ts'
import type { AzureCredentials } from './azure-credentials.ts'
import { cliSource, managedSource, principalSource, workloadSource } from './token-sources.ts'

type Source = CredentialSource<AzureCredentials>

/** The account key or the shared access signature of a connection string. */
const connectionSource = (fields: ReadonlyMap<string, string>): Source => ({
  name: 'AZURE_STORAGE_CONNECTION_STRING',
  remedy: 'set AZURE_STORAGE_CONNECTION_STRING to another one',
  load: async () => keyOrSignature(fields.get('AccountKey'), fields.get('SharedAccessSignature')),
})

const variableSource = (account: string, env: Environment): Source => ({
  name: env.AZURE_STORAGE_KEY ? 'AZURE_STORAGE_KEY' : 'AZURE_STORAGE_SAS_TOKEN',
  remedy: `set ${env.AZURE_STORAGE_KEY ? 'AZURE_STORAGE_KEY' : 'AZURE_STORAGE_SAS_TOKEN'} to another one`,
  // They are those of one account.
  load: async () =>
    (env.AZURE_STORAGE_ACCOUNT || account) === account
      ? keyOrSignature(env.AZURE_STORAGE_KEY, env.AZURE_STORAGE_SAS_TOKEN)
      : undefined,
})

function keyOrSignature(key: string | undefined, signature: string | undefined): AzureCredentials | undefined {
  if (key) return { key }
  return signature ? { signature: signature.replace(/^\?/, '') } : undefined
}

/**
 * Credentials where Microsoft's own libraries look for them, in their order: the account's own, a principal, a workload identity, the
 * machine, and the Azure CLI.
 * @param connection the fields of the connection string for this account
 */
export const findAzureCredentials = (
  account: string,
  connection: ReadonlyMap<string, string>,
  env: Environment,
): CredentialChain<AzureCredentials> =>
  new CredentialChain<AzureCredentials>([
    connectionSource(connection),
    variableSource(account, env),
    principalSource(env),
    workloadSource(env),
    managedSource(env),
    cliSource(env),
  ])
