import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { StatusDisplay, type StatusText } from '../../../src/entry/cli/runs/status-display.ts'
import { control } from '../../../src/entry/cli/terminal.ts'

const statusOf = (done: number, failures: readonly string[] = []): StatusText => ({
  condition: done < 8 ? 'count: running' : 'count: done',
  facts: ['  command     bellis run count.ts', '  folder      /data/.bellis/count-1a2b3c4d'],
  tasks: [`  count: ${done} of 8 blocks`],
  rest: failures,
})

/** What a stream is given, in writes. */
function output(size: { readonly columns?: number; readonly rows?: number } = {}) {
  const written: string[] = []
  const isTTY = size.columns !== undefined
  const stream = { ...size, isTTY, write: (text: string) => written.push(text) > 0 }
  return { written, display: new StatusDisplay(stream as unknown as NodeJS.WriteStream) }
}

describe('StatusDisplay', () => {
  it('prints the facts once, and then only what has changed', () => {
    const { written, display } = output()
    display.show(statusOf(2, ['failed count/1']), { isLast: false })
    display.show(statusOf(2, ['failed count/1']), { isLast: false })
    display.show(statusOf(3, ['failed count/1', 'failed count/5']), { isLast: false })
    display.show(statusOf(8))
    assert.deepEqual(written, [
      'count: running\n  command     bellis run count.ts\n  folder      /data/.bellis/count-1a2b3c4d\n  count: 2 of 8 blocks\nfailed count/1\n',
      '  count: 3 of 8 blocks\nfailed count/5\n',
      'count: done\n  count: 8 of 8 blocks\n',
    ])
  })

  it('draws over all rows on a terminal, also those of lines that wrap', () => {
    const { written, display } = output({ columns: 20, rows: 24 })
    const red = control('\u001b[31m12345678901234567890\u001b[39m')
    display.show(statusOf(2, [red, '日本日本日本日本日本日', 'é'.normalize('NFD').repeat(20)]), { isLast: false })
    display.show(statusOf(3), { isLast: false })
    // 1 for the condition, 2 + 3 for the facts, 2 for the task, 1 + 2 + 1 for the rest.
    assert.ok(written[1]?.startsWith('\u001b[12A\u001b[0Jcount: running\n'), written[1])
  })

  it('cuts what is higher than the terminal until the last time', () => {
    const { written, display } = output({ columns: 80, rows: 8 })
    const failures = Array.from({ length: 50 }, (_, index) => `failed count/${index}`)
    display.show(statusOf(2, failures), { isLast: false })
    assert.match(written[0] ?? '', /failed count\/1\n… and 48 more lines\n$/)
    display.show(statusOf(2, failures))
    assert.ok(written[1]?.startsWith('\u001b[7A\u001b[0J'), written[1])
    assert.match(written[1] ?? '', /failed count\/49\n$/)
  })
})
