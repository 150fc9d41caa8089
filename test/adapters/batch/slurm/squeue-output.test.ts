import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { expandTasks, parseSqueueJson, parseSqueueText } from '../../../../src/adapters/batch/slurm/squeue-output.ts'

// Recorded from SLURM 22.05: an array with one task cancelled, one waiting and eight running; an array on hold, with task 2
// cancelled; jobs that failed, that can never start, that wait for a time or for another job. The JSON was cut to the fields
// that are read.
const recorded = (name: string) => readFileSync(new URL(`fixtures/squeue-22.05.${name}`, import.meta.url), 'utf8')

const newer = (job: object) => JSON.stringify({ jobs: [job], meta: {}, errors: [], warnings: [] })
const number = (value?: number) => ({ set: value !== undefined, infinite: false, number: value ?? 0 })

describe('what squeue prints', () => {
  it('gives the same state of every job as text and as JSON', () => {
    const [text, json] = [parseSqueueText(recorded('txt')), parseSqueueJson(recorded('json'))]
    assert.equal(text.size, 20)
    assert.deepEqual(new Map([...text].sort()), new Map([...json].sort()))
  })

  it('gives the node of running jobs, and how others ended', () => {
    const jobs = parseSqueueText(recorded('txt'))
    assert.deepEqual(jobs.get('1_8'), { status: 'running', host: 'n2' })
    assert.deepEqual(jobs.get('1_0'), { status: 'ended', reason: 'its job was cancelled' })
    assert.deepEqual(jobs.get('5'), { status: 'ended', reason: 'its job failed' })
  })

  it('explains why a job waits', () => {
    const jobs = parseSqueueText(recorded('txt'))
    const reasonOf = (id: string) => {
      const state = jobs.get(id)
      return state?.status === 'pending' ? state.reason : undefined
    }
    assert.equal(reasonOf('1_9'), 'Resources (no free node has what it requests)')
    assert.match(reasonOf('2') ?? '', /^PartitionNodeLimit \(.*it will never start\)$/)
    assert.match(reasonOf('3_7') ?? '', /^JobHeldUser \(it is held/)
    assert.equal(reasonOf('3_2'), undefined)
  })

  it('keeps reasons that it can’t explain', () => {
    assert.deepEqual(parseSqueueText('7|PENDING|SomethingNew|\n').get('7'), {
      status: 'pending',
      reason: 'SomethingNew',
    })
  })

  it('reads the JSON of newer versions: numbers that may be unset, and several states', () => {
    const base = { state_reason: 'None', nodes: 'n7', array_task_string: '' }
    const inArray = { ...base, job_id: number(0).number + 31, array_job_id: number(30), array_task_id: number(4) }
    assert.deepEqual(
      [...parseSqueueJson(newer({ ...inArray, job_state: ['RUNNING'] }))],
      [['30_4', { status: 'running', host: 'n7' }]],
    )
    // Ended, but its processes still exist.
    assert.deepEqual(
      [...parseSqueueJson(newer({ ...inArray, job_state: ['CANCELLED', 'COMPLETING'] }))],
      [['30_4', { status: 'running', host: 'n7' }]],
    )
    const alone = { ...base, job_id: 32, array_job_id: number(0), array_task_id: number(), job_state: ['TIMEOUT'] }
    assert.deepEqual(
      [...parseSqueueJson(newer(alone))],
      [['32', { status: 'ended', reason: 'its job reached its time limit (--time)' }]],
    )
    // Not set, whatever the number; and plain zeros, as the first versions wrote them.
    assert.deepEqual([...parseSqueueJson(newer({ ...alone, array_job_id: number(32) })).keys()], ['32'])
    assert.deepEqual([...parseSqueueJson(newer({ ...alone, array_job_id: 0, array_task_id: 0 })).keys()], ['32'])
    const waiting = { ...base, job_id: 33, array_job_id: number(33), array_task_id: number(), job_state: ['PENDING'] }
    assert.deepEqual(
      [...parseSqueueJson(newer({ ...waiting, array_task_string: '0-1,5' })).keys()],
      ['33_0', '33_1', '33_5'],
    )
  })

  it('expands lists of array tasks, with steps and limits, up to where one was cut', () => {
    assert.deepEqual(expandTasks('1-3,7%2'), [1, 2, 3, 7])
    assert.deepEqual(expandTasks('0-9:3'), [0, 3, 6, 9])
    assert.deepEqual(expandTasks('1,3,...'), [1, 3])
    assert.deepEqual([...parseSqueueText('12_[1-2]|PENDING|Resources|\n').keys()], ['12_1', '12_2'])
  })

  it('refuses anything else, so that nothing is concluded from it', () => {
    assert.throws(() => parseSqueueText('slurm_load_jobs error: Socket timed out\n'), /can't be read/)
    assert.throws(() => parseSqueueJson('{"meta":{}}'), /no list of jobs/)
    assert.throws(() => parseSqueueJson('<html>'))
    assert.throws(() => expandTasks('0-99999999999'), /99999999999/)
  })
})
