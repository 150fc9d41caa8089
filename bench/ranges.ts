// Seconds and requests of reading files by ranges over http, beside the same file on the disk; and the chunks of shards over http beside
// tensorstore in one thread if `npm run bench -- --peers` has made its environment.
//
//   node bench/ranges.ts [--size z,y,x] [--latency ms] [--rounds n]
//
// The server is in this process, and waits for the latency before it answers. Best of the rounds. Compare ratios: machines and their load differ.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import h5wasm from 'h5wasm/node'
import { hdf5Format } from '../src/adapters/hdf5/hdf5-format.ts'
import { zarrFormat } from '../src/adapters/zarr/zarr-format.ts'
import type { ArrayFormat } from '../src/ports/chunked-array.ts'

const { values: options } = parseArgs({
  options: {
    size: { type: 'string', default: '128,256,256' },
    latency: { type: 'string', default: '10' },
    rounds: { type: 'string', default: '3' },
  },
})
const shape = options.size.split(',').map(Number)
const voxels = new Uint8Array(shape.reduce((a, b) => a * b, 1)).map(
  (_, i) => (Math.imul(i, 2654435761) >>> 29) + i / 4096,
)
const box = { offset: shape.map(() => 0), shape }

const folder = await mkdtemp(join(tmpdir(), 'bellis-bench-ranges-'))
const files = new Map<string, Buffer>()
let requests = 0

const answer = (request: IncomingMessage, response: ServerResponse) => {
  requests++
  const bytes = files.get(request.url as string)
  if (bytes === undefined) return void response.writeHead(404).end()
  const [, start, last = ''] = /^bytes=(\d*)-(\d*)$/.exec(request.headers.range ?? '') ?? []
  if (start === undefined)
    return void response.writeHead(200, { etag: '"1"', 'content-length': bytes.length }).end(bytes)
  const first = start === '' ? bytes.length - Number(last) : Number(start)
  const end = start === '' || last === '' ? bytes.length : Math.min(bytes.length, Number(last) + 1)
  const headers = {
    etag: '"1"',
    'content-length': end - first,
    'content-range': `bytes ${first}-${end - 1}/${bytes.length}`,
  }
  response.writeHead(206, headers).end(bytes.subarray(first, end))
}
const server = createServer((request, response) => void setTimeout(answer, Number(options.latency), request, response))
await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

/** The fastest of some rounds, in seconds. */
async function fastest(work: () => Promise<void>): Promise<number> {
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < Number(options.rounds); round++) {
    requests = 0
    const start = performance.now()
    await work()
    best = Math.min(best, (performance.now() - start) / 1000)
  }
  return best
}

const read = (format: ArrayFormat, container: string, part = box) =>
  fastest(async () => {
    await using array = await format.open(container, 'raw')
    await array.readVoxels(part, new Uint8Array(part.shape.reduce((a, b) => a * b, 1)))
  })

const show = (name: string, seconds: number) =>
  console.log(`${name.padEnd(44)} ${seconds.toFixed(2).padStart(6)} s ${String(requests || '').padStart(6)}`)

await h5wasm.ready
for (const [name, chunked] of [
  ['gzip', { chunks: [32, 64, 64], compression: 'gzip' }],
  ['chunks', { chunks: [32, 64, 64] }],
  ['one piece', {}],
] as const) {
  const path = join(folder, `${name.replace(' ', '-')}.h5`)
  const file = new h5wasm.File(path, 'w')
  file.create_dataset({ name: 'raw', data: voxels, shape, dtype: '<B', ...(chunked as object) })
  file.close()
  const url = `/${name.replace(' ', '-')}.h5`
  files.set(url, await readFile(path))
  const part = { offset: shape.map((length) => length >> 2), shape: shape.map((length) => length >> 1) }
  show(`HDF5, ${name}: disk`, await read(hdf5Format(), path))
  show(`HDF5, ${name}: http`, await read(hdf5Format(), address + url))
  show(`HDF5, ${name}: http, an eighth from the middle`, await read(hdf5Format(), address + url, part))
}

const container = join(folder, 'a.zarr')
const sharding = { chunkShape: [32, 32, 32], shardShape: [128, 128, 128], codec: 'blosc-lz4', zarrFormat: 3 } as const
{
  await using array = await zarrFormat().create(container, 'raw', { shape, dtype: 'uint8', ...sharding })
  await array.writeVoxels(box, voxels)
}
for (const name of await readdir(container, { recursive: true })) {
  const bytes = await readFile(join(container, name)).catch(() => undefined)
  if (bytes !== undefined) files.set(`/a.zarr/${name}`, bytes)
}
// Some planes: a part of each shard.
const planes = { offset: [32, 0, 0], shape: [32, shape[1] as number, shape[2] as number] }
show('Zarr, planes of shards: http', await read(zarrFormat(), `${address}/a.zarr`, planes))
const python = fileURLToPath(new URL('../.cache/peers/bin/python', import.meta.url))
if (existsSync(python)) {
  const code = `
import sys, time, tensorstore as ts
best = 1e9
for _ in range(int(sys.argv[2])):
    start = time.perf_counter()
    context = ts.Context({"data_copy_concurrency": {"limit": 1}, "cache_pool": {"total_bytes_limit": 0}})
    ts.open({"driver": "zarr3", "kvstore": sys.argv[1]}, context=context).result()[32:64].read().result()
    best = min(best, time.perf_counter() - start)
print(best)`
  requests = 0
  const { stdout } = await promisify(execFile)(python, ['-c', code, `${address}/a.zarr/raw/`, options.rounds])
  requests = Math.round(requests / Number(options.rounds))
  show('  tensorstore', Number(stdout))
}
server.closeAllConnections()
server.close()
await rm(folder, { recursive: true })
