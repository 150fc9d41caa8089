import { describeProgressStore } from '../contracts/progress-store.contract.ts'
import { type MemoryPlace, memoryProgress } from './memory-progress.ts'

const emptyPlace = () => {
  const stored: MemoryPlace = new Map()
  return { open: () => memoryProgress(stored), dispose: () => {} }
}

describeProgressStore('memory', emptyPlace, { manyRuns: true })
