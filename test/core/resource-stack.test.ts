import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { originOf, ResourceStack } from '../../src/core/resource-stack.ts'

/** Resources that note their names when they are disposed; a name with "!" fails. */
function recorder() {
  const disposed: string[] = []
  const end = (name: string) => {
    disposed.push(name)
    if (name.endsWith('!')) throw new Error(name)
  }
  return {
    disposed,
    later: (name: string): AsyncDisposable => ({
      async [Symbol.asyncDispose]() {
        await Promise.resolve()
        end(name)
      },
    }),
    atOnce: (name: string): Disposable => ({ [Symbol.dispose]: () => end(name) }),
  }
}

describe('a stack of resources', () => {
  it('disposes the last resource first, once, and waits for each', async () => {
    const { disposed, later, atOnce } = recorder()
    const stack = new ResourceStack()
    const first = later('first')
    assert.equal(stack.use(first), first)
    stack.use(atOnce('second'))
    stack.use(later('third'))
    await stack[Symbol.asyncDispose]()
    await stack[Symbol.asyncDispose]()
    assert.deepEqual(disposed, ['third', 'second', 'first'])
  })

  it('disposes the other resources if one fails, and throws its error', async () => {
    const { disposed, later, atOnce } = recorder()
    const stack = new ResourceStack()
    stack.use(later('first'))
    stack.use(atOnce('second!'))
    stack.use(later('third'))
    await assert.rejects(stack[Symbol.asyncDispose](), { message: 'second!' })
    assert.deepEqual(disposed, ['third', 'second!', 'first'])
  })

  it('throws all errors if several resources fail', async () => {
    const { later } = recorder()
    const stack = new ResourceStack()
    stack.use(later('first!'))
    stack.use(later('second!'))
    await assert.rejects(stack[Symbol.asyncDispose](), (error) => {
      assert.ok(error instanceof AggregateError)
      assert.deepEqual(
        error.errors.map(({ message }) => message),
        ['second!', 'first!'],
      )
      return true
    })
  })

  it('disposes nothing once its resources have been moved', async () => {
    const { disposed, later } = recorder()
    let moved: ResourceStack | undefined
    {
      await using stack = new ResourceStack()
      stack.use(later('first'))
      moved = stack.move()
    }
    assert.deepEqual(disposed, [])
    await moved[Symbol.asyncDispose]()
    assert.deepEqual(disposed, ['first'])
  })

  it('takes no further resource once it is disposed or moved', async () => {
    const { atOnce } = recorder()
    const stack = new ResourceStack()
    stack.move()
    assert.throws(() => stack.use(atOnce('late')), ReferenceError)
    const disposed = new ResourceStack()
    await disposed[Symbol.asyncDispose]()
    assert.throws(() => disposed.use(atOnce('late')), ReferenceError)
    assert.throws(() => disposed.move(), ReferenceError)
  })
})

describe('the origin of an error', () => {
  const fail = (name: string): never => {
    throw new Error(name)
  }
  const thrownBy = async (run: () => Promise<void>): Promise<unknown> => {
    try {
      await run()
    } catch (error) {
      return originOf(error)
    }
    return undefined
  }

  it('is what went wrong first, whatever could not be closed after it', async () => {
    const origin = await thrownBy(async () => {
      using _outer = { [Symbol.dispose]: () => fail('outer') }
      await using inner = new ResourceStack()
      for (const name of ['second', 'first']) inner.use({ [Symbol.dispose]: () => fail(name) })
      fail('origin')
    })
    assert.equal((origin as Error).message, 'origin')
  })

  it('is the first failure of closing, if nothing went wrong before, and any other error itself', async () => {
    const origin = await thrownBy(async () => {
      using _outer = { [Symbol.dispose]: () => fail('outer') }
      await using inner = new ResourceStack()
      for (const name of ['second', 'first']) inner.use({ [Symbol.dispose]: () => fail(name) })
    })
    assert.equal((origin as Error).message, 'first')
    for (const other of [new Error('other'), new AggregateError([]), 'text', undefined])
      assert.equal(originOf(other), other)
  })
})
