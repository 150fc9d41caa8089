import { describe } from 'node:test'
import { InvalidArgumentError } from 'commander'
import { fuzzTarget } from '../support/fuzz/fuzz-target.ts'

const textOf = (input: Uint8Array): string => new TextDecoder().decode(input)

describe('what users write', () => {
  fuzzTarget('roi-text', {
    kind: 'text',
    seeds: ['0,0,0:1000,471.04,471.04', '0:20,5:,-7:', '-1e3,.5,+4.6e-1:1,2,3', '1:2'],
    dictionary: ['1e308', '1e999999999', 'e-400', ',', ':', '-', '.', '9007199254740993', '٣'],
    maxLength: 300,
    codes: ['INVALID_ROI', 'NOT_VOXEL_ALIGNED', 'INVALID_COORDINATE'],
    async load() {
      const { roi } = await import('../../src/core/geometry/roi.ts')
      const { parseRoi, showRoiInNm } = await import('../../src/core/geometry/roi-text.ts')
      const grid = { voxelSize: [40, 4600, 1], offset: [-40, 0, 7], roi: roi([-40, 0, 7], [4000, 46_000, 100]) }
      return (input) => showRoiInNm(parseRoi(textOf(input), 'pm', grid), 'pm')
    },
  })

  fuzzTarget('addresses', {
    kind: 'text',
    seeds: [
      ...['http://h:8/a b/c.zarr/raw?sig=a/b', 'https://u:p@h/a.zarr', 'data.zarr/volumes/raw', 'a.h5/x/../y', 'x.n5'],
      ...[
        `bellis://${'0'.repeat(32)}@[::1]:8?tls=${'a'.repeat(64)}`,
        '[::1]:9464',
        '0.0.0.0:80',
        'bytes=0-99',
        '/a/%62%2f',
      ],
    ],
    dictionary: ['http://', '?', '#', '@', '%2f', '%00', '..', '[', ']', 'bytes=', '-', '.zarr/', 'é', '\\', ' '],
    maxLength: 500,
    codes: ['INVALID_CONFIG', 'UNKNOWN_FORMAT', 'UNSUPPORTED'],
    isRefusal: (error) => error instanceof InvalidArgumentError,
    async load() {
      const { parseDatasetPath } = await import('../../src/entry/arrays.ts')
      const { httpStore } = await import('../../src/adapters/zarr/http/http-store.ts')
      const { parseContext, showContext } = await import('../../src/adapters/links/context.ts')
      const { hostAndPort } = await import('../../src/entry/cli/option-values.ts')
      const { parsePath } = await import('../../src/adapters/http/request-path.ts')
      const { parseRange } = await import('../../src/adapters/http/byte-range.ts')
      const { hostInUrl, isLoopback } = await import('../../src/core/addresses.ts')
      return (input) => {
        const text = textOf(input)
        parsePath(text)
        const range = parseRange(text, 1000)
        if (range.kind === 'part' && (range.start < 0 || range.end > 1000)) throw new Error('a part beyond the object')
        hostInUrl(text)
        isLoopback(text)
        if (text.startsWith('bellis:')) return showContext(parseContext(text))
        if (/^[\d[]/.test(text)) return hostAndPort(text)
        const { container, inner } = parseDatasetPath(text)
        return /^https?:/i.test(container) ? httpStore(container).where(inner) : container
      }
    },
  })

  fuzzTarget('options', {
    kind: 'text',
    seeds: [
      '--partition=short --comment="my volume"',
      "-q 'a b' -l h_rt=4:00:00",
      'blosc-zstd:5',
      'cpu=32,gpu=1.5',
      '64,64,64',
    ],
    dictionary: ['"', "'", '\\', '\n', '-o', '--array', '-pe', 'h_rt=', ':', ',', '=', '1e9'],
    maxLength: 500,
    codes: ['INVALID_CONFIG', 'UNSUPPORTED_CODEC'],
    isRefusal: (error) => error instanceof InvalidArgumentError,
    async load() {
      const { parseSbatchOptions } = await import('../../src/adapters/batch/slurm/sbatch-options.ts')
      const { parseQsubOptions, softLimitOf } = await import('../../src/adapters/batch/sge/qsub-options.ts')
      const { parseCodecName } = await import('../../src/adapters/zarr/codecs/registry.ts')
      const values = await import('../../src/entry/cli/option-values.ts')
      const parsers = [
        parseSbatchOptions,
        (text: string) => softLimitOf(parseQsubOptions(text), 60),
        (text: string) => parseCodecName(text, 'uint16'),
        ...[
          values.amounts,
          values.voxelShape,
          values.numberOrList,
          values.anyNumber,
          values.seconds,
          values.portNumber,
        ],
      ]
      return (input) => {
        let refused: unknown
        for (const parse of parsers) {
          try {
            parse(textOf(input))
          } catch (error) {
            const isKnown = error instanceof InvalidArgumentError || (error instanceof Error && 'code' in error)
            if (!isKnown) throw error
            refused = error
          }
        }
        if (refused !== undefined) throw refused
      }
    },
  })
})

describe('what batch systems print', () => {
  fuzzTarget('squeue-text', {
    kind: 'text',
    seeds: ['12_3|RUNNING|None|node1\n12_[4-6,9%2]|PENDING|Resources|\n', '7|COMPLETING|(ReqNodeNotAvail, x)|n[1-2]\n'],
    dictionary: ['|', '_[', ']', '-', ',', '%', ':', '4000000', 'PENDING', 'CANCELLED', '\n'],
    // A list of the largest array that SLURM allows.
    maxBytes: 2 ** 30,
    maxLength: 400,
    codes: [],
    isRefusal: (error) => error instanceof Error && error.message.startsWith('squeue '),
    async load() {
      const { parseSqueueText } = await import('../../src/adapters/batch/slurm/squeue-output.ts')
      return (input) => parseSqueueText(textOf(input))
    },
  })

  fuzzTarget('squeue-json', {
    kind: 'json',
    seeds: [
      JSON.stringify({
        jobs: [{ job_id: 7, job_state: 'RUNNING', nodes: 'n1', array_job_id: 0, array_task_id: null }],
      }),
      JSON.stringify({
        jobs: [
          {
            ...{ job_id: 8, job_state: ['PENDING'], state_reason: 'Priority', array_task_string: '1-3,7' },
            ...{ array_job_id: { set: true, number: 8 }, array_task_id: { set: false, number: 0 } },
          },
        ],
      }),
    ],
    maxBytes: 2 ** 30,
    codes: [],
    isRefusal: (error) =>
      error instanceof SyntaxError || (error instanceof Error && error.message.startsWith('squeue ')),
    async load() {
      const { parseSqueueJson } = await import('../../src/adapters/batch/slurm/squeue-output.ts')
      return (input) => parseSqueueJson(textOf(input))
    },
  })

  fuzzTarget('qstat-xml', {
    kind: 'text',
    seeds: [
      '<job_info><job_list state="running"><JB_job_number>7</JB_job_number><JB_name>b</JB_name><state>r</state><queue_name>all.q@n1</queue_name><tasks>1</tasks></job_list></job_info>',
    ],
    dictionary: ['<job_list', '</job_list>', '<tasks>', '</tasks>', '>', '<state>Eqw</state>', '<state>qw</state>'],
    maxLength: 20_000,
    codes: [],
    async load() {
      const { parseQstatXml, toJobState } = await import('../../src/adapters/batch/sge/qstat-output.ts')
      return (input) => parseQstatXml(textOf(input)).map((job) => toJobState(job, 'waits'))
    },
  })
})

describe('what programs for microscopes write', () => {
  fuzzTarget('bdv-xml', {
    kind: 'text',
    seeds: [
      '<?xml version="1.0"?><SpimData><ViewSetup><id>0</id><voxelSize><unit>um</unit><size>1 2 3</size></voxelSize></ViewSetup></SpimData>',
    ],
    dictionary: ['<ViewSetup>', '</ViewSetup>', '<voxelSize>', '<size>1 2 3</size>', '<!--', '-->', '<![CDATA[', '"'],
    maxLength: 20_000,
    codes: [],
    async load() {
      const { voxelSizeIn } = await import('../../src/adapters/hdf5/layouts/big-data-viewer-xml.ts')
      return (input) => voxelSizeIn(textOf(input), 0)
    },
  })

  fuzzTarget('ome-xml', {
    kind: 'text',
    seeds: [
      '<OME><Image><Pixels SizeX="3" SizeY="2" SizeZ="2" SizeC="1" SizeT="1" DimensionOrder="XYZCT" PhysicalSizeX="0.1" PhysicalSizeXUnit="µm"><Channel SamplesPerPixel="1"/><TiffData IFD="0" FirstZ="1" PlaneCount="1"/><TiffData IFD="1"/></Pixels></Image></OME>',
    ],
    dictionary: [
      '<TiffData FirstZ="1" IFD="0"/>',
      'SizeT="70000"',
      'PlaneCount="9"',
      'DimensionOrder="XYCZT"',
      '<UUID FileName="a"/>',
    ],
    maxLength: 20_000,
    codes: ['INVALID_METADATA', 'UNSUPPORTED'],
    async load() {
      const { omeSeries } = await import('../../src/adapters/tiff/ome-tiff.ts')
      return (input) => void omeSeries('a.tif', textOf(input), 2)
    },
  })
})
