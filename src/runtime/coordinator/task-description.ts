import { gridOptions } from '../../core/grid/grid-options.ts'
import type { WireRois, WireTask } from '../../core/protocol/messages.ts'
import type { Units } from '../../core/workers/resource-units.ts'
import type { PlannedTask } from '../tasks/planned-task.ts'
import { isTaskNode } from '../tasks/task-node.ts'
import type { RunPipelineOptions } from './run-options.ts'

/** The description of a task for a worker. @param units the units of resources that are assigned to the worker */
export function describeTask(planned: PlannedTask, units: Units, options: RunPipelineOptions): WireTask {
  const { folder, fsync, owns, moduleName = (url) => url } = options
  const { grid, source, unit, id, voxels } = planned
  const node = isTaskNode(source) ? source : undefined
  return {
    id,
    module: node === undefined ? '' : moduleName(node.definition.module),
    name: node?.definition.options.name ?? id,
    config: node?.config ?? {},
    ...(folder === undefined ? {} : { folder }),
    unit,
    ...(voxels === undefined ? {} : { voxels }),
    grid: gridOptions(grid),
    ...(fsync ? { fsync } : {}),
    ...(owns === undefined ? {} : { owns }),
    ...(Object.keys(units).length > 0 ? { resources: units } : {}),
  }
}

/** For workers that do not compute the Rois of a block themselves. */
export function describeRois({ grid }: Pick<PlannedTask, 'grid'>, index: number): WireRois {
  const { readRoi, writeRoi } = grid.block(index)
  return { read: readRoi, write: writeRoi }
}
