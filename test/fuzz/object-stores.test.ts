import { describe } from 'node:test'
import { fuzzTarget } from '../support/fuzz/fuzz-target.ts'

const textOf = (input: Uint8Array) => new TextDecoder().decode(input)

describe('answers of object stores', () => {
  fuzzTarget('object-lists-xml', {
    kind: 'text',
    seeds: [
      '<?xml version="1.0"?><ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>x</NextContinuationToken><Contents><Key>p/1&amp;</Key></Contents><CommonPrefixes><Prefix>p/2/</Prefix></CommonPrefixes></ListBucketResult>',
      '<?xml version="1.0"?><EnumerationResults><Blobs><Blob><Name>p/1&#x41;</Name><Properties><ResourceType>directory</ResourceType></Properties></Blob><BlobPrefix><Name>p/2/</Name></BlobPrefix></Blobs><NextMarker /></EnumerationResults>',
    ],
    dictionary: ['<Key>', '</Key>', '<Blob>', '<Name>', '<NextMarker>', '&#', '&quot;', '</ListBucketResult>'],
    codes: [],
    async load() {
      const { s3Calls } = await import('../../src/adapters/s3/s3-bucket.ts')
      const { azurePageOf } = await import('../../src/adapters/azure/azure-bucket.ts')
      return (input) => {
        s3Calls.pageOf(textOf(input))
        azurePageOf(textOf(input))
      }
    },
  })

  fuzzTarget('object-lists-json', {
    kind: 'json',
    seeds: [
      '{"kind":"storage#objects","items":[{"name":"p/1"}],"prefixes":["p/2/"],"nextPageToken":"x"}',
      '{"kind":"storage#objects"}',
    ],
    dictionary: ['null', '"storage#objects"', '{}', '[]', '1e400'],
    codes: [],
    async load() {
      const { gsPageOf } = await import('../../src/adapters/gs/gs-bucket.ts')
      return (input) => void gsPageOf(textOf(input))
    },
  })

  fuzzTarget('object-errors', {
    kind: 'text',
    seeds: [
      '{"error":{"code":404,"message":"No such object","errors":[{"reason":"notFound"}]}}',
      'No such object: bucket/key',
      '<Error><Code>AuthenticationFailed</Code><Message>No.\nId:1</Message><AuthenticationErrorDetail>time frame</AuthenticationErrorDetail></Error>',
    ],
    dictionary: ['null', '"errors"', '<Code>', '</Code>', '[]', '{}'],
    codes: [],
    async load() {
      const { errorInXml } = await import('../../src/adapters/s3/s3-protocol.ts')
      const { GsProtocol } = await import('../../src/adapters/gs/gs-protocol.ts')
      const { AzureProtocol } = await import('../../src/adapters/azure/azure-protocol.ts')
      const gs = new GsProtocol('b', { endpoint: 'http://host', isEmulator: true, credentials: undefined })
      const azure = new AzureProtocol('a/b', { account: 'a', endpoint: 'http://host/a', credentials: undefined })
      const headers = new Headers()
      return (input) => {
        const text = textOf(input)
        errorInXml(text)
        for (const status of [401, 403, 404, 500]) {
          gs.errorIn(status, headers, text)
          azure.errorIn(status, headers, text)
        }
      }
    },
  })

  fuzzTarget('tokens', {
    kind: 'json',
    seeds: ['{"access_token":"a","expires_in":3600}', '{"access_token":"a","expires_on":"4102444800"}'],
    dictionary: ['null', '""', '1e400', '-1'],
    codes: [],
    isRefusal: (error) => error instanceof Error && !(error instanceof RangeError),
    async load() {
      const { parseToken } = await import('../../src/adapters/objects/credentials/bearer-token.ts')
      return (input) => {
        const { token, expires = 0 } = parseToken(textOf(input))
        if (!/^[\x21-\x7e]+$/.test(token) || Number.isNaN(expires)) throw new RangeError('made up')
      }
    },
  })
})
