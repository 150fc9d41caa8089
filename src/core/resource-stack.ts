/**
 * Owns resources that are opened one after the other, and disposes them in the opposite order. It has the part of JavaScript's
 * `AsyncDisposableStack` that is needed here: Node 22 does not have that class.
 */
export class ResourceStack implements AsyncDisposable {
  #resources: (AsyncDisposable | Disposable)[] = []
  #isDisposed = false

  /** Owns a resource from now on. @returns the resource @throws ReferenceError if this stack is disposed or moved */
  use<Resource extends AsyncDisposable | Disposable>(resource: Resource): Resource {
    this.#assertOpen()
    this.#resources.push(resource)
    return resource
  }

  /** Passes all resources on to a new stack; disposing this one then disposes nothing. @throws ReferenceError as `use` */
  move(): ResourceStack {
    this.#assertOpen()
    const moved = new ResourceStack()
    moved.#resources = this.#resources
    this.#resources = []
    this.#isDisposed = true
    return moved
  }

  /** Disposes all resources, whichever of them fail. @throws the only error, or an AggregateError of several, in their order */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true
    const errors: unknown[] = []
    for (let resource = this.#resources.pop(); resource !== undefined; resource = this.#resources.pop()) {
      try {
        if (Symbol.asyncDispose in resource) await resource[Symbol.asyncDispose]()
        else resource[Symbol.dispose]()
      } catch (error) {
        errors.push(error)
      }
    }
    if (errors.length === 1) throw errors[0]
    if (errors.length > 1) throw new AggregateError(errors, errors.map(String).join('; '))
  }

  #assertOpen(): void {
    if (this.#isDisposed) throw new ReferenceError('This stack of resources is disposed.')
  }
}

/** What went wrong first, if closing what was open has failed, too: the reason that a user has to know. */
export function originOf(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  if (error.name === 'SuppressedError') return originOf((error as Error & { suppressed?: unknown }).suppressed)
  return error instanceof AggregateError && error.errors.length > 0 ? originOf(error.errors[0]) : error
}
