// The kernels, `import … from 'bellis/kernels'`: numerics on typed arrays, without files, blocks or workers.
export type { BorderMode } from '../kernels/border.ts'
export { cropBox } from '../kernels/crop.ts'
export { type DownsampleMethod, type DownsampleOptions, downsampleVoxels } from '../kernels/downsample/downsample.ts'
export { evaluateExpression, isLogical, mayGiveFractions } from '../kernels/expression/expression.ts'
export {
  type ExpressionNode,
  isReservedName,
  parseExpression,
  variablesOf,
} from '../kernels/expression/expression-syntax.ts'
export { type GaussianOptions, gaussianFilter, gaussianFilterBox } from '../kernels/gaussian/gaussian.ts'
export { gaussianRadius, gaussianWeights } from '../kernels/gaussian/gaussian-weights.ts'
export {
  type ComponentOptions,
  type Components,
  findComponents,
  labelComponents,
  numberComponents,
} from '../kernels/labels/components.ts'
export { DisjointSets } from '../kernels/labels/disjoint-sets.ts'
export type { NumberedRuns } from '../kernels/labels/plain-runs.ts'
export { forwardSteps, type Step } from '../kernels/labels/steps.ts'
export { faceBox, faceOf, type LabelBox, visitTouching } from '../kernels/labels/touching.ts'
export { type Bins, binEdges } from '../kernels/statistics/bins.ts'
export { mergeStatistics, voxelStatistics } from '../kernels/statistics/statistics.ts'
export type { VoxelStatistics } from '../kernels/statistics/voxel-statistics.ts'
export type { ShapedVoxels } from '../kernels/voxels.ts'
