import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as index from '../../src/entry/index.ts'
import * as kernels from '../../src/entry/kernels.ts'
import * as tasks from '../../src/entry/tasks.ts'
import * as worker from '../../src/entry/worker.ts'

// What users import. Removing or renaming a name breaks their code, and needs an entry in CHANGELOG.md.
describe('the public exports', () => {
  it("of 'bellis' are these", () => {
    assert.deepEqual(Object.keys(index).sort(), INDEX)
  })
  it("of 'bellis/kernels' are these", () => {
    assert.deepEqual(Object.keys(kernels).sort(), KERNELS)
  })
  it("of 'bellis/tasks' are these", () => {
    assert.deepEqual(Object.keys(tasks).sort(), TASKS)
  })
  it("of 'bellis/worker' are these", () => {
    assert.deepEqual(Object.keys(worker).sort(), ['joinRun'])
  })
})

const INDEX = [
  'BlockError',
  'BlockwiseError',
  'ConfigError',
  'DTYPES',
  'InfrastructureError',
  'addCoordinates',
  'ceilDivide',
  'commandTask',
  'containsRoi',
  'contextOf',
  'coordinate',
  'countElements',
  'createArray',
  'createBlockGrid',
  'createScheduler',
  'cropTo',
  'definePipeline',
  'defineTask',
  'equalCoordinates',
  'equalRois',
  'floorDivide',
  'fromVoxels',
  'growRoi',
  'intersectRoi',
  'isAlignedRoi',
  'isEmptyRoi',
  'joinRun',
  'largestDivisor',
  'maxCoordinates',
  'meetsRoi',
  'minCoordinates',
  'multiplyCoordinates',
  'openArray',
  'parseRoi',
  'pasteInto',
  'planTasks',
  'roi',
  'roiBetween',
  'roiEnd',
  'runBlockwise',
  'shiftRoi',
  'showRoi',
  'showRoiInNm',
  'snapRoi',
  'startRun',
  'subtractCoordinates',
  'toNanometers',
  'toVoxels',
  'typedArray',
  'uniteRoi',
  'z',
]
const KERNELS = [
  'DisjointSets',
  'binEdges',
  'cropBox',
  'downsampleVoxels',
  'evaluateExpression',
  'faceBox',
  'faceOf',
  'findComponents',
  'forwardSteps',
  'gaussianFilter',
  'gaussianFilterBox',
  'gaussianRadius',
  'gaussianWeights',
  'isLogical',
  'isReservedName',
  'labelComponents',
  'mayGiveFractions',
  'mergeStatistics',
  'numberComponents',
  'parseExpression',
  'variablesOf',
  'visitTouching',
  'voxelStatistics',
]
const TASKS = [
  'convert',
  'convertGroup',
  'countLabels',
  'downsample',
  'label',
  'map',
  'pyramid',
  'readReduction',
  'reduce',
  'smooth',
  'threshold',
]
