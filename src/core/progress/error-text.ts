/** Stands for the message in a stack that is stored without it: the "object replacement character". */
const PLACEHOLDER = '\ufffc'

/**
 * The part of a stack that is the same for every error from the same place, whatever its message. {@link withMessage} restores the stack.
 */
export function withoutMessage(stack: string, message: string): string {
  const own = stack.replaceAll(PLACEHOLDER, '')
  return message === '' ? own : own.replace(message, () => PLACEHOLDER)
}

/** Restores a stack from what {@link withoutMessage} returned. */
export const withMessage = (stored: string, message: string): string => stored.replace(PLACEHOLDER, () => message)
