import { definePipeline, z } from 'bellis'
import { downsample, label, map, smooth, threshold } from 'bellis/tasks'

const blockWrite = [8, 24, 24]

/**
 * Smooths twice, over transient arrays; then labels what is above a threshold, and makes a coarser level of the labels. A volume whose
 * scales all have one element type can only be smoothed.
 */
export default definePipeline({
  name: 'chain',
  config: z.object({
    input: z.string(),
    output: z.string(),
    smoothOnly: z.enum(['true', 'false']).default('false'),
  }),
  tasks({ input, output, smoothOnly }) {
    const place = (name: string) => `${output}/${name}`
    const [once, twice, mask, labels] = [place('once'), place('twice'), place('mask'), place('labels')]
    const first = smooth(
      { input, output: once, sigma: 1, blockWrite },
      { id: 'once', transient: true, maxAhead: { blocks: 100 } },
    )
    const second = smooth({ input: once, output: twice, sigma: 1, blockWrite }, { id: 'twice', after: [first] })
    if (smoothOnly === 'true') return [second]
    const masked = { id: 'mask', after: [second] }
    // N5 has no bool.
    const above = output.endsWith('.n5')
      ? map({ input: twice, output: mask, expr: 'x > 100', dtype: 'uint8' }, masked)
      : threshold({ input: twice, output: mask, above: 100 }, masked)
    const components = label({ input: mask, output: labels, block: [16, 48, 48] }, { id: 'labels', after: [above] })
    const coarse = downsample(
      { input: labels, output: place('labels_s1'), factor: [1, 2, 2], method: 'mode' },
      { id: 'coarse', after: [components.at(-1)!] },
    )
    return [...components, coarse]
  },
})
