import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { addressesOf, hostInUrl, isAnyAddress, isLoopback, outsideAddressesOf } from '../../src/core/addresses.ts'

describe('addresses of this machine', () => {
  it('are loopback by number and by name, in IPv4 and IPv6', () => {
    for (const host of ['127.0.0.1', '127.1.2.3', '::1', 'localhost']) assert.equal(isLoopback(host), true, host)
    for (const host of ['0.0.0.0', '::', '10.0.0.1', '127.example.org', 'node3']) {
      assert.equal(isLoopback(host), false, host)
    }
  })

  it('include all addresses for 0.0.0.0 and ::', () => {
    assert.deepEqual(['0.0.0.0', '::', '127.0.0.1'].map(isAnyAddress), [true, true, false])
  })

  it('are put in brackets in a URL if they are IPv6', () => {
    assert.deepEqual(['::1', '10.0.0.1', 'node3'].map(hostInUrl), ['[::1]', '10.0.0.1', 'node3'])
  })

  it('are those of its interfaces, and those that others may reach', () => {
    const interfaces = {
      lo: [{ address: '127.0.0.1', family: 'IPv4', internal: true }],
      eth0: [
        { address: '10.0.0.5', family: 'IPv4', internal: false },
        { address: 'fe80::1', family: 'IPv6', internal: false },
      ],
      down: undefined,
    }
    assert.deepEqual(addressesOf(interfaces), ['127.0.0.1', '10.0.0.5', 'fe80::1'])
    assert.deepEqual(outsideAddressesOf(interfaces), ['10.0.0.5'])
  })
})
