import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isPrivateAddress, mayFollow } from '../../src/core/redirects.ts'

const HOSTS: Readonly<Record<string, readonly string[]>> = {
  'data.example.org': ['203.0.113.7'],
  'mirror.example.net': ['198.51.100.3', '2001:db8::3'],
  'inside.example.org': ['10.1.2.3'],
  'both.example.org': ['203.0.113.9', '192.168.0.9'],
  'store.lab': ['10.0.0.4'],
}

const follows = (from: string, to: string) => mayFollow(new URL(from), new URL(to), async (host) => HOSTS[host] ?? [])

describe('a redirect', () => {
  it('is followed on the same server, between https servers, and from http to https on the same host', async () => {
    for (const [from, to] of [
      ['http://store.lab/a', 'http://store.lab/b'],
      ['https://data.example.org/a', 'https://mirror.example.net/a'],
      ['http://data.example.org/a', 'https://data.example.org/a'],
      ['https://store.lab/a', 'https://inside.example.org/a'],
      ['https://store.lab/a', 'https://127.0.0.1/a'],
      ['https://data.example.org/a', 'https://unknown.example/a'],
    ] as const) {
      assert.equal(await follows(from, to), true, `${from} ${to}`)
    }
  })

  it('is not followed to http on another server or port, nor from https to http', async () => {
    for (const [from, to] of [
      ['http://data.example.org/a', 'http://data.example.org:8080/a'],
      ['http://data.example.org/a', 'http://mirror.example.net/a'],
      ['http://data.example.org/a', 'https://mirror.example.net/a'],
      ['https://data.example.org/a', 'http://data.example.org/a'],
      ['https://data.example.org/a', 'file:///etc/passwd'],
    ] as const) {
      assert.equal(await follows(from, to), false, `${from} ${to}`)
    }
  })

  it('is not followed from the internet to what only this machine or its network sees, however it is written', async () => {
    const from = 'https://data.example.org/a'
    for (const host of [
      ...['inside.example.org', 'both.example.org', 'localhost', 'localhost.', 'a.localhost'],
      ...['127.0.0.1', '127.1', '2130706433', '0x7f.1', '10.0.0.1', '172.31.255.255', '192.168.1.1', '169.254.169.254'],
      ...['[::1]', '[::]', '[fd00::1]', '[fe80::1]', '[::ffff:10.0.0.1]', '[64:ff9b::a00:1]', '0.0.0.0'],
    ]) {
      assert.equal(await follows(from, `https://${host}/a`), false, host)
    }
  })
})

describe('a private address', () => {
  it('is told from a public one at the ends of its range', () => {
    const inside = [
      '100.64.0.0',
      '100.127.255.255',
      '172.16.0.0',
      '172.31.0.1',
      '198.18.0.1',
      '198.19.0.1',
      '192.0.0.1',
    ]
    const outside = ['100.63.0.1', '100.128.0.1', '172.15.0.1', '172.32.0.1', '198.17.0.1', '198.20.0.1', '192.0.1.1']
    for (const address of [...inside, '224.0.0.1', '255.255.255.255'])
      assert.equal(isPrivateAddress(address), true, address)
    for (const address of [...outside, '223.255.255.255', '8.8.8.8', '2001:db8::1', '::ffff:8.8.8.8', '::1234']) {
      assert.equal(isPrivateAddress(address), false, address)
    }
  })
})
