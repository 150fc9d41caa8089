import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import {
  describePlace,
  openProgressStore,
  withCredentials,
  withoutCredentials,
} from '../../../src/entry/run-folder/progress-place.ts'

describe('the place of the progress', () => {
  afterEach(() => {
    delete process.env.BELLIS_DB
  })

  it('is stored without credentials, wherever they are in the address', () => {
    const places = [
      ['mongodb://jane:sesame@db.lab:27017/bellis', 'mongodb://db.lab:27017/bellis'],
      ['mongodb+srv://jane:sesame@db.lab/bellis?retryWrites=true', 'mongodb+srv://db.lab/bellis?retryWrites=true'],
      ['mongodb://jane:ses/a@me@one:1,two:2/x?replicaSet=r', 'mongodb://one:1,two:2/x?replicaSet=r'],
      [
        'mongodb://db.lab/x?tlsCertificateKeyFilePassword=sesame&tls=true&authMechanismProperties=AWS_SESSION_TOKEN:sesame',
        'mongodb://db.lab/x?tls=true',
      ],
      ['mongodb://db.lab/x?proxyPassword=sesame', 'mongodb://db.lab/x'],
      ['sqlite', 'sqlite'],
    ] as const
    for (const [place, written] of places) assert.equal(describePlace(place), written)
    assert.equal(withoutCredentials('--db=mongodb://jane:sesame@db.lab/x'), '--db=mongodb://db.lab/x')
  })

  it('gets its credentials from BELLIS_DB if that is the same place', () => {
    assert.equal(withCredentials('mongodb://db.lab/x'), 'mongodb://db.lab/x')
    process.env.BELLIS_DB = 'mongodb://jane:sesame@db.lab/x?tls=true'
    assert.equal(withCredentials('mongodb://db.lab/x?tls=true'), process.env.BELLIS_DB)
    assert.equal(withCredentials('mongodb://elsewhere/x?tls=true'), 'mongodb://elsewhere/x?tls=true')
    assert.equal(withCredentials('mongodb://jo:other@db.lab/x?tls=true'), 'mongodb://jo:other@db.lab/x?tls=true')
  })

  it('is refused without being quoted if it is invalid', async () => {
    await assert.rejects(openProgressStore('mysql://jane:sesame@db.lab/x', 'run'), (error: Error) => {
      assert.match(error.message, /expected "sqlite", "none", or a URL that starts with mongodb:\/\//)
      assert.doesNotMatch(error.message, /jane|sesame/)
      return true
    })
  })
})
