// The built-in tasks, `import … from 'bellis/tasks'`.
export { convert } from '../tasks/convert.ts'
export { type ConvertGroupConfig, convertGroup } from '../tasks/convert-group.ts'
export { downsample, type PyramidConfig, pyramid } from '../tasks/downsample.ts'
export { countLabels, label } from '../tasks/label.ts'
export type { LabelConfig } from '../tasks/label-layout.ts'
export { map, type ThresholdConfig, threshold } from '../tasks/map.ts'
export { type ReduceConfig, type Reduction, readReduction, reduce } from '../tasks/reduce.ts'
export { smooth } from '../tasks/smooth.ts'
