import { type MemoryPlace, memoryProgress } from '../../../src/adapters/memory/memory-progress.ts'
import { describeProgressStore } from '../../contracts/progress-store.contract.ts'

const emptyPlace = () => {
  const stored: MemoryPlace = new Map()
  return { open: () => memoryProgress(stored), dispose: () => {} }
}

describeProgressStore('memory', emptyPlace, { manyRuns: true })
