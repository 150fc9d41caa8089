// Does blocks of unnamed-scale.ts.
import { openArray } from 'bellis'
import { joinRun } from 'bellis/worker'

for await (const { config, writeRoi } of joinRun()) {
  await using array = await openArray(config.output, { mode: 'r+' })
  await array.write(writeRoi, new Uint8Array(128).fill(7))
}
