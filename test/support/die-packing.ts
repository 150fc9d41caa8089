// Preloaded into a command (see `dyingPacking`): kills it while it packs its output into a file, or holds it up there.
import fs from 'node:fs'
import promises from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'

const [place, count = '1'] = (process.env.BELLIS_TEST_DIE_PACKING ?? '').split(' ')
const die = () => process.kill(process.pid, 'SIGKILL')

const { openSync, writeSync } = fs
const packed = new Set<number>()
let writes = 0
fs.openSync = (path, ...rest) => {
  const file = openSync(path, ...rest)
  if (String(path).endsWith('.tmp-packed')) packed.add(file)
  else packed.delete(file)
  return file
}
fs.writeSync = ((file: number, ...rest: unknown[]) => {
  if (place === 'write' && packed.has(file) && ++writes === Number(count)) die()
  return Reflect.apply(writeSync, fs, [file, ...rest]) as number
}) as typeof fs.writeSync

const { link, rename } = promises
const goOn = async () => {
  while (!fs.existsSync('go-on')) await wait(20)
}
promises.link = async (from, to) => {
  if (place === 'lock' && String(to).endsWith('.tmp-pack-lock')) {
    if (fs.readFileSync(from, 'utf8').includes('"packing"') && !fs.existsSync('waits')) {
      fs.writeFileSync('waits', '')
      await goOn()
    }
  }
  if (place === 'name' && String(from).endsWith('.tmp-packed')) die()
  if (place === 'hold' && String(from).endsWith('.tmp-packed')) await goOn()
  return link(from, to)
}
promises.rename = async (from, to) => {
  if (place === 'remove' && String(from).endsWith('.unfinished.zarr')) die()
  return rename(from, to)
}
