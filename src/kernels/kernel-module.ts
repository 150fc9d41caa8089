/** What the instances of all modules have. */
export interface KernelModule {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number }
}

// TypeScript has these types in its DOM library only.
interface WebAssemblyNamespace {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object, imports?: object) => { readonly exports: object }
}

/** Bytes of a page of memory. */
export const PAGE = 65536
/** WebAssembly memory never shrinks: if it exceeds this, the instance is dropped after use. */
const KEPT_BYTES = 64 * 2 ** 20

/** Whether modules can run: not with `--jitless`. */
export const hasWebAssembly = (): boolean => 'WebAssembly' in globalThis

/** An instance of a module. @throws CompileError if the bytes are no module */
export function instantiate<Exports extends object>(bytes: Uint8Array, imports?: object): Exports {
  const { Module, Instance } = (globalThis as unknown as { WebAssembly: WebAssemblyNamespace }).WebAssembly
  return new Instance(new Module(bytes), imports).exports as Exports
}

/** Bytes up to the next place at which vectors may start. */
export const aligned = (bytes: number): number => Math.ceil(bytes / 16) * 16

/** Grows the memory of an instance to at least so many bytes. Arrays over it are then detached. */
export function ensureBytes({ memory }: KernelModule, bytes: number): void {
  const missing = Math.ceil((bytes - memory.buffer.byteLength) / PAGE)
  if (missing > 0) memory.grow(missing)
}

/** A module of WebAssembly, of which each thread has one instance, created at the first use. */
export interface SharedModule<Exports extends KernelModule> {
  /** Lends the instance, with at least so many bytes of memory. What was in there before is undefined. */
  lend<Result>(bytes: number, work: (exports: Exports) => Result): Result
}

/** @param base64 the module as `scripts/build-kernels.mjs` writes it */
export function kernelModule<Exports extends KernelModule>(base64: string): SharedModule<Exports> {
  let shared: Exports | undefined
  return {
    lend(bytes, work) {
      shared ??= instantiate<Exports>(Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)))
      const instance = shared
      ensureBytes(instance, bytes)
      try {
        return work(instance)
      } finally {
        if (instance.memory.buffer.byteLength > KEPT_BYTES) shared = undefined
      }
    },
  }
}
