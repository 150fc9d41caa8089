import fc from 'fast-check'

/** Bytes with runs, near and far repeats, and noise: input for each branch of compressors and decoders. */
export const anyBytes = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc
        .record({ byte: fc.nat(255), length: fc.nat(700) })
        .map(({ byte, length }) => new Uint8Array(length).fill(byte)),
      fc
        .record({ step: fc.integer({ min: 1, max: 300 }), length: fc.nat(3000) })
        .map(({ step, length }) => new Uint8Array(length).map((_, i) => Math.imul(i % step, 2654435761) >>> 24)),
    ),
    { maxLength: 8 },
  )
  .map((parts) => new Uint8Array(Buffer.concat(parts)))
