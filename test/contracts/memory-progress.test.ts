import { type MemoryPlace, memoryProgress } from '../support/memory-progress.ts'
import { describeProgressStore } from './progress-store.contract.ts'

const emptyPlace = () => {
  const stored: MemoryPlace = new Map()
  return { open: () => memoryProgress(stored), dispose: () => {} }
}

describeProgressStore('memory', emptyPlace, { manyRuns: true })
