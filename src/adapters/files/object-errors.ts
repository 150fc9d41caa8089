import { InfrastructureError } from '../../core/errors.ts'

/** Thrown by the first read of a part: checking first whether the shard exists would cost a round trip. */
export class MissingObject extends InfrastructureError {
  constructor(where: string) {
    super(
      'IO_ERROR',
      `Can't read ${where}: it was removed, or its address has expired, while it was being read; run again.`,
    )
  }
}

/** An object was replaced between two reads of its parts, which therefore don't belong together. */
export class ChangedObject extends InfrastructureError {
  constructor(where: string) {
    super('IO_ERROR', `Can't read ${where}: it was replaced while it was being read; run again once nobody writes it.`)
  }
}
