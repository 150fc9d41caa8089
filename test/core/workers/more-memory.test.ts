import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type MemorySystem, requestedMemory, withMoreMemory } from '../../../src/core/workers/more-memory.ts'

describe('options for more memory', () => {
  it('multiply each amount of memory that a batch system is asked for, and nothing else', () => {
    const cases: [MemorySystem, string, number, string | undefined][] = [
      ['slurm', '--partition=short --mem=4G --time=4:00:00', 2, '--partition=short --mem=8G --time=4:00:00'],
      ['slurm', '--mem 3G', 1.5, '--mem 4608M'],
      ['slurm', '--mem=1000', 2, '--mem=2000M'],
      ['slurm', '-c 4 --mem-per-cpu=500M', 4, '-c 4 --mem-per-cpu=2000M'],
      ['slurm', '--mem-bind=local --gres=gpu:2 --member=4G', 2, undefined],
      [
        'sge',
        '-q short.q -l h_rt=4:00:00,mem_free=4G,h_vmem=4.5G',
        2,
        '-q short.q -l h_rt=4:00:00,mem_free=8G,h_vmem=9G',
      ],
      ['pbs', '-l walltime=4:00:00,mem=4gb', 2, '-l walltime=4:00:00,mem=8gb'],
      ['pbs', '-l select=1:ncpus=4:mem=3gb', 1.5, '-l select=1:ncpus=4:mem=4608mb'],
      ['lsf', '-q short -W 4:00 -M 4G -R "rusage[mem=4000]"', 2, '-q short -W 4:00 -M 8G -R "rusage[mem=8000]"'],
      ['lsf', '-q short', 2, undefined],
      ['kubernetes', '--image=x --memory=4Gi --cpu=2', 2, '--image=x --memory=8Gi --cpu=2'],
      ['kubernetes', '--memory 1.5Gi', 1.5, '--memory 2304Mi'],
      ['kubernetes', '--image=x/memory=4Gi --cpu=2', 2, undefined],
    ]
    for (const [system, options, factor, expected] of cases) {
      assert.equal(withMoreMemory(system, options, factor), expected, options)
    }
  })

  it('never ask for less than the amount times the factor', () => {
    const bytes = (text: string) => {
      const [, amount = '', unit = ''] = /--mem=(\d+)([KMGT])$/.exec(text) ?? []
      return Number(amount) * 1024 ** ('KMGT'.indexOf(unit) + 1)
    }
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9999 }),
        fc.constantFrom('K', 'M', 'G', 'T'),
        fc.double({ min: 1.01, max: 16, noNaN: true }),
        (amount, unit, factor) => {
          const options = `--mem=${amount}${unit}`
          const more = bytes(withMoreMemory('slurm', options, factor) ?? '')
          assert.ok(more >= bytes(options) * factor * (1 - 1e-9))
          assert.ok(more <= bytes(options) * factor * (1 + 1e-9) + 1024 ** Math.max(1, 'KMGT'.indexOf(unit)))
        },
      ),
    )
  })

  it('are told as users wrote them', () => {
    assert.equal(requestedMemory('slurm', '--time=10 --mem=4G'), '--mem=4G')
    assert.equal(requestedMemory('slurm', '--time=10'), undefined)
  })
})
