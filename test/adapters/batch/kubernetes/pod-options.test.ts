import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { type JobManifest, jobManifest } from '../../../../src/adapters/batch/kubernetes/job-manifest.ts'
import { parsePodOptions } from '../../../../src/adapters/batch/kubernetes/pod-options.ts'
import { temporaryFolder } from '../../../support/command-line.ts'

function templateIn(folder: string, content: unknown): string {
  const path = join(folder, 'pod.json')
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

// biome-ignore lint/suspicious/noExplicitAny: an object of Kubernetes is read field by field.
const manifestOf = (text: string, more: Partial<JobManifest> = {}): any =>
  jobManifest({
    name: 'run-1',
    start: 'run',
    workers: 3,
    command: ['bellis', 'worker'],
    workFolder: '/data',
    noticeSeconds: 60,
    avoided: [],
    options: parsePodOptions(text),
    ...more,
  })

describe('the options for pods', () => {
  it('are an image, resources, and where to run', () => {
    const { kubectl, ...others } = parsePodOptions(
      '--image=r.example/bellis:1 --namespace em --context=prod --cpu=2 --memory=4Gi --resource=nvidia.com/gpu=1 --node-selector disk=ssd --service-account=w',
    )
    assert.deepEqual(kubectl, ['--namespace=em', '--context=prod'])
    assert.deepEqual(others, {
      image: 'r.example/bellis:1',
      resources: { 'nvidia.com/gpu': '1', cpu: '2', memory: '4Gi' },
      serviceAccount: 'w',
      nodeSelector: { disk: 'ssd' },
      template: { metadata: {}, spec: {}, container: {} },
    })
  })

  it('that can not be used are refused with what to do', () => {
    using folder = temporaryFolder()
    const broken = templateIn(folder.path, 'kind: Pod')
    const cases: [string, RegExp][] = [
      ['', /no image was given; add the container image that has Bellis, such as --kubernetes "--image=/],
      ['--image=x --imagge=y', /"--imagge=y" is not an option; expected --namespace, --context, .*--image/],
      ['--image=x true', /"true" is not an option/],
      ['--image=x --memory', /--memory has no value; write --memory=VALUE/],
      ['--image=x --memory=4GB', /memory is "4GB"; expected an amount, such as 2, 500m or 4Gi/],
      ['--image=x --image=y', /--image is given twice; give it once/],
      ['--image=x --node-selector=ssd', /--node-selector=ssd: expected NAME=VALUE/],
      ['--image=x --template=/nowhere/pod.json', /the template \/nowhere\/pod\.json can't be read: ENOENT/],
      [`--image=x --template=${broken}`, /is not JSON .*for YAML, run: kubectl create --dry-run=client -o json -f/],
    ]
    for (const [text, message] of cases) assert.throws(() => parsePodOptions(text), { name: 'ConfigError', message })
    for (const other of ['[]', '{"spec":{"containers":{}}}', '{"kind":"Service"}']) {
      const text = `--image=x --template=${templateIn(folder.path, other)}`
      assert.throws(() => parsePodOptions(text), /is no pod; expected \{"spec"/)
    }
  })

  it('make an Indexed Job in which a worker that fails ends no other, and whose Secret has the context', () => {
    const { metadata, spec } = manifestOf('--image=x --cpu=2 --memory=4Gi')
    assert.deepEqual(metadata, { name: 'run-1', labels: { 'bellis/start': 'run' } })
    const { completionMode, completions, parallelism, backoffLimitPerIndex, template } = spec
    assert.deepEqual([completionMode, completions, parallelism, backoffLimitPerIndex], ['Indexed', 3, 3, 0])
    assert.equal(template.spec.restartPolicy, 'Never')
    const [container] = template.spec.containers
    assert.deepEqual(container.command.slice(-2), ['bellis', 'worker'])
    assert.deepEqual(container.resources, {
      requests: { memory: '4Gi', cpu: '2' },
      // A worker may use the processors that others leave.
      limits: { memory: '4Gi' },
    })
    assert.deepEqual(container.env[0], {
      name: 'BELLIS_CONTEXT',
      valueFrom: { secretKeyRef: { name: 'run-1', key: 'context' } },
    })
  })

  it('keep everything of a template, and add to it', () => {
    using folder = temporaryFolder()
    const terms = [{ matchExpressions: [{ key: 'zone', operator: 'In', values: ['a'] }] }]
    const nodeAffinity = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } }
    const pod = {
      kind: 'Pod',
      metadata: { labels: { team: 'em' }, annotations: { note: 'x' } },
      spec: {
        tolerations: [{ key: 'gpu' }],
        volumes: [{ name: 'data' }],
        nodeSelector: { arch: 'amd64' },
        affinity: { nodeAffinity },
        restartPolicy: 'Always',
        containers: [
          {
            name: 'main',
            image: 'from/template:1',
            env: [{ name: 'A', value: '1' }],
            volumeMounts: [{ name: 'data' }],
          },
          { name: 'side', image: 'other' },
        ],
      },
    }
    for (const content of [pod, { template: pod }]) {
      const text = `--template=${templateIn(folder.path, content)} --node-selector=disk=ssd`
      const { template } = manifestOf(text, { avoided: ['n1', 'n2'] }).spec
      assert.deepEqual(template.metadata, { labels: { team: 'em', 'bellis/start': 'run' }, annotations: { note: 'x' } })
      const { tolerations, volumes, nodeSelector, affinity, restartPolicy, containers } = template.spec
      assert.deepEqual([tolerations, volumes], [[{ key: 'gpu' }], [{ name: 'data' }]])
      assert.deepEqual([nodeSelector, restartPolicy], [{ arch: 'amd64', disk: 'ssd' }, 'Never'])
      const [main, side] = containers
      assert.deepEqual([main.name, main.image, main.volumeMounts], ['main', 'from/template:1', [{ name: 'data' }]])
      assert.deepEqual(
        [main.env[0], side],
        [
          { name: 'A', value: '1' },
          { name: 'side', image: 'other' },
        ],
      )
      const [term] = affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms
      const without = (node: string) => ({ key: 'metadata.name', operator: 'NotIn', values: [node] })
      assert.deepEqual(term, { ...terms[0], matchFields: [without('n1'), without('n2')] })
    }
  })
})
