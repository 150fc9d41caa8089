// The built-in tasks: what `import … from 'bellis/tasks'` gives.
export { convert } from '../tasks/convert.ts'
export { downsample, type PyramidConfig, pyramid } from '../tasks/downsample.ts'
export { smooth } from '../tasks/smooth.ts'
