import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { openCommand, openPage, warnOfExposure } from '../../../src/entry/cli/open-page.ts'
import { temporaryFolder } from '../../support/command-line.ts'

const linesFor = async (host: string | undefined): Promise<string> => {
  const lines: string[] = []
  const page = { address: 'http://127.0.0.1:8080/token/', port: 8080 }
  assert.equal(await openPage({ open: false, host }, page, (text) => lines.push(text)), false)
  return lines.join('\n')
}

function warningsFor(host: string | undefined): string {
  const written: string[] = []
  const { write } = process.stderr
  process.stderr.write = ((text: string) => written.push(text)) as never
  try {
    warnOfExposure({}, host, 'stop the run')
  } finally {
    process.stderr.write = write
  }
  return written.join('')
}

describe('the address of a page', () => {
  it('is said to be readable on the network if other machines can reach the page', () => {
    for (const host of [undefined, '127.0.0.1', 'localhost', '::1']) assert.equal(warningsFor(host), '')
    for (const host of ['0.0.0.0', 'node17'])
      assert.match(
        warningsFor(host),
        new RegExp(
          `the page at ${host} is not encrypted: whoever can read the network can .* and stop the run\\. An ssh`,
        ),
      )
  })

  it('is printed with a tunnel command if only this machine can reach it, also over IPv6', async () => {
    assert.match(await linesFor(undefined), /ssh -N -L 8080:127\.0\.0\.1:8080 /)
    assert.match(await linesFor('localhost'), /ssh -N -L 8080:localhost:8080 /)
    assert.match(await linesFor('::1'), /ssh -N -L 8080:\[::1\]:8080 /)
  })

  it('is printed without a tunnel command if other machines can reach it', async () => {
    assert.equal(await linesFor('0.0.0.0'), '')
  })
})

describe('the command that opens a file', () => {
  it('is the one of this system, or only the path if nothing would open it', () => {
    using folder = temporaryFolder()
    for (const name of ['open', 'xdg-open']) writeFileSync(join(folder.path, name), '#!/bin/sh\n', { mode: 0o755 })
    const desktop = { PATH: folder.path, DISPLAY: ':0' }
    assert.equal(openCommand('a/b.png', desktop, 'linux'), 'xdg-open a/b.png')
    assert.equal(openCommand('a b.png', desktop, 'darwin'), "open 'a b.png'")
    assert.equal(openCommand('a/b.png', {}, 'win32'), 'start a/b.png')
    for (const env of [
      { PATH: folder.path },
      { DISPLAY: ':0', PATH: '/nowhere' },
      { ...desktop, SSH_TTY: '/dev/pts/0' },
    ])
      assert.equal(openCommand('a/b.png', env, 'linux'), 'a/b.png')
  })
})
