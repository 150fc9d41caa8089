// Writes the table of docs/PERFORMANCE.md and its chart, docs/performance.svg, from the figures of bench/data-path/report.json:
//
//   node bench/data-path.ts --report bench/data-path/report.json && node bench/data-path/document.ts
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Report, type RowFigures, ratios, TABLE_HEAD, tableLine } from './report.ts'

const START = '<!-- Made by bench/data-path/document.ts. -->'
const END = '<!-- End of what is made. -->'

/** The document with the table of these figures in place of the one that it has. */
export function withTable(document: string, report: Report): string {
  const [before, rest = ''] = document.split(START)
  const [, after] = rest.split(END)
  if (after === undefined) throw new Error(`the document has no "${START}" … "${END}"`)
  const { date, shape, dtype, workers, machine, rows } = report
  const how = `${shape.join(' × ')} ${dtype}, ${workers} workers, medians of ${roundsOf(rows)}; ${machine}; ${date}.`
  return [before, START, `\n\n${how}\n\n`, TABLE_HEAD, '\n', rows.map(tableLine).join('\n'), '\n\n', END, after].join(
    '',
  )
}

/** Rows that take long may be measured less often: `1 to 3`. */
function roundsOf(rows: Report['rows']): string {
  const counts = rows.map(({ ours }) => ours.cpu.length)
  const [least, most] = [Math.min(...counts), Math.max(...counts)]
  return least === most ? `${most}` : `${least} to ${most}`
}

const WIDTH = 760
const LABELS = 250
const ROW = 24
/** Ratios at the ends of the axis; it is logarithmic. */
const [LEAST, MOST] = [1 / 8, 8]
const TICKS = [1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8]

const placeOf = (ratio: number): number => {
  const inside = Math.min(MOST, Math.max(LEAST, ratio))
  return LABELS + 10 + ((WIDTH - LABELS - 60) * Math.log2(inside / LEAST)) / Math.log2(MOST / LEAST)
}

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')

/** A chart of the CPU ratios: bars to the left of 1 took less than the strongest peer; a short line is the goal. */
export function chart({ rows }: Report): string {
  const compared = rows.filter(({ peers }) => peers.length > 0)
  const height = 60 + ROW * compared.length
  const ticks = TICKS.map((tick) => {
    const x = placeOf(tick).toFixed(1)
    const name = tick < 1 ? `1/${1 / tick}` : String(tick)
    return (
      `<line x1="${x}" y1="34" x2="${x}" y2="${height - 14}" class="${tick === 1 ? 'one' : 'tick'}"/>` +
      `<text x="${x}" y="26" class="middle">${name}</text>`
    )
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="12">
<title>Processor time of Bellis in relation to the strongest peer; less is better</title>
<style>text { fill: #333 } .middle { text-anchor: middle } .end { text-anchor: end } .tick { stroke: #ddd } .one { stroke: #555 } .less { fill: #2a8c6a } .more { fill: #c77f2a } .goal { stroke: #111; stroke-width: 2 }</style>
<rect width="${WIDTH}" height="${height}" fill="#fff"/>
<text x="${LABELS}" y="26" class="end">processor time ÷ strongest peer's</text>
${ticks.join('\n')}
${compared.map(bar).join('\n')}
</svg>
`
}

function bar({ title, goal, ours, peers: [peer] }: RowFigures, row: number): string {
  const { mid } = ratios(ours.cpu, peer?.cpu ?? [])
  const y = 40 + ROW * row
  const [from, to] = [placeOf(1), placeOf(mid)]
  const x = Math.min(from, to)
  const mark = placeOf(goal).toFixed(1)
  const end = to < from ? `x="${(to - 4).toFixed(1)}" class="end"` : `x="${(to + 4).toFixed(1)}"`
  return (
    `<text x="${LABELS}" y="${y + 14}" class="end">${escaped(title)}</text>` +
    `<rect x="${x.toFixed(1)}" y="${y + 3}" width="${Math.abs(to - from).toFixed(1)}" height="14" class="${mid <= 1 ? 'less' : 'more'}"/>` +
    `<line x1="${mark}" y1="${y}" x2="${mark}" y2="${y + 20}" class="goal"/>` +
    `<text ${end} y="${y + 14}">${mid.toFixed(2)}</text>`
  )
}

const pathOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
export const PATHS = {
  report: pathOf('report.json'),
  document: pathOf('../../docs/PERFORMANCE.md'),
  chart: pathOf('../../docs/performance.svg'),
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const report = JSON.parse(readFileSync(PATHS.report, 'utf8')) as Report
  writeFileSync(PATHS.document, withTable(readFileSync(PATHS.document, 'utf8'), report))
  writeFileSync(PATHS.chart, chart(report))
}
