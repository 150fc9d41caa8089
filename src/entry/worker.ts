// What `import … from 'bellis/worker'` gives: for programs that do the blocks of a run.
export type { JoinedBlock, JoinOptions } from './join-run.ts'
export { joinRun } from './join-run.ts'
