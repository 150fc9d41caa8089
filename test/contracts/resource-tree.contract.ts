import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Resource, ResourceTree } from '../../src/ports/resource.ts'

/** A tree and what a test knows about it. */
export interface OpenedTree {
  readonly tree: ResourceTree
  /** Paths that have content, with its type and, if known, its bytes. */
  readonly content: readonly {
    readonly path: string
    readonly contentType: string
    readonly bytes?: Uint8Array
  }[]
  /** Paths without content, in addition to those that every tree refuses. */
  readonly nothing: readonly string[]
  /** Changes the content of the first path of `content`; absent if it can't change. */
  change?(): void
}

const opening = (tree: ResourceTree, path: string) => tree.open(path.split('/'))

async function open(tree: ResourceTree, path: string): Promise<Resource> {
  const resource = await opening(tree, path)
  assert.ok(resource !== undefined, `${path} has no content`)
  return resource
}

async function read(resource: Resource, start = 0, end = resource.size): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  for await (const piece of resource.read(start, end)) pieces.push(piece)
  return Buffer.concat(pieces)
}

/** The contract of everything that is served by path. */
export function describeResourceTree(name: string, make: (t: TestContext) => Promise<OpenedTree> | OpenedTree): void {
  describe(`the content of ${name}`, () => {
    it('served content has the size and the type that it declares', async (t) => {
      const { tree, content } = await make(t)
      for (const { path, contentType, bytes } of content) {
        await using resource = await open(tree, path)
        const found = await read(resource)
        assert.equal(found.length, resource.size)
        assert.ok(resource.size > 0, path)
        assert.equal(resource.contentType, contentType, path)
        if (bytes !== undefined) assert.deepEqual(found, Buffer.from(bytes))
        if (contentType === 'application/json') JSON.parse(Buffer.from(found).toString())
      }
    })

    it('served content can be read in any part, also an empty one, and repeatedly', async (t) => {
      const { tree, content } = await make(t)
      for (const { path } of content) {
        await using resource = await open(tree, path)
        const { size } = resource
        const all = await read(resource)
        for (const [start, end] of [
          [0, 0],
          [size, size],
          [0, 1],
          [size - 1, size],
          [size >> 1, size],
        ] as const) {
          assert.deepEqual(
            await read(resource, start, end),
            all.subarray(start, end),
            `${path} from ${start} to ${end}`,
          )
        }
      }
    })

    it('served content keeps its version while it is unchanged, and can be opened several times at once', async (t) => {
      const { tree, content } = await make(t)
      for (const { path } of content) {
        await using first = await open(tree, path)
        await using second = await open(tree, path)
        assert.equal(first.version, second.version)
        assert.match(first.version, /^[^"\s]+$/)
        assert.deepEqual(await read(first), await read(second))
      }
    })

    it('a tree has nothing at unknown paths, below its files, or at longer names', async (t) => {
      const { tree, content, nothing } = await make(t)
      const others = content.flatMap(({ path }) => [`${path}/0`, `${path}x`, `x${path}`])
      for (const path of ['nothing', 'nothing/0/0', '-1', '00', ...others, ...nothing]) {
        assert.equal(await opening(tree, path), undefined, path)
      }
    })

    it('served content gets another version when it changes', async (t) => {
      const { tree, content, change } = await make(t)
      if (change === undefined) return
      const path = content[0]!.path
      await using before = await open(tree, path)
      change()
      await using after = await open(tree, path)
      assert.notEqual(after.version, before.version)
    })
  })
}
