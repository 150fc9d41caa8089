import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { it } from 'node:test'
import { serveRunMetrics } from '../../src/adapters/prometheus/run-metrics.ts'
import { pathOf } from './markdown.ts'

interface Board {
  readonly panels: readonly { readonly title: string; readonly targets: readonly { readonly expr: string }[] }[]
  readonly templating: { readonly list: readonly { readonly query: unknown }[] }
}

it('the Grafana board asks only for metrics and labels that a run exports, and for every one of them', async () => {
  const board = JSON.parse(readFileSync(pathOf('docs/grafana/bellis.json'), 'utf8')) as Board
  await using metrics = await serveRunMetrics({ host: '127.0.0.1', port: 0 })
  metrics.setBlocks('smooth', { pending: 1, ready: 1, processing: 1, completed: 1, failed: 1, orphaned: 1 })
  metrics.addBlock('smooth', 1)
  metrics.addFailedAttempt('smooth')
  const text = await (await fetch(metrics.address)).text()
  const exported = new Set([...text.matchAll(/^(bellis_\w+)[{ ]/gm)].map(([, name]) => name as string))
  const labels = new Set([...text.matchAll(/(\w+)="/g)].map(([, label]) => label as string))
  const expressions = board.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr))
  const queries = [...expressions, ...board.templating.list.map(({ query }) => JSON.stringify(query))]
  const asked = new Set(queries.flatMap((query) => [...query.matchAll(/bellis_\w+/g)].map(([name]) => name)))
  assert.deepEqual(
    [...asked].filter((name) => !exported.has(name)),
    [],
  )
  const own = (name: string) => name.replace(/_(bucket|sum|count)$/, '')
  const shown = new Set([...asked].map(own))
  assert.deepEqual(
    [...exported].filter((name) => !shown.has(own(name))),
    [],
  )
  for (const [, label = ''] of expressions.flatMap((expr) => [...expr.matchAll(/(\w+)=~?"/g)])) {
    // Prometheus adds the address that it reads.
    assert.ok(label === 'instance' || labels.has(label), label)
  }
  const states = expressions.flatMap((expr) =>
    [...expr.matchAll(/state=~?"([\w|]+)"/g)].flatMap(([, list = '']) => list.split('|')),
  )
  assert.ok(states.length > 0)
  for (const state of states) assert.match(text, new RegExp(`state="${state}"`))
})
