/** Most bytes of what decodes to `decodedBytes`: no codec needs more for data that were declared. */
export const encodedLimit = (decodedBytes: number): number => Math.max(64 * 2 ** 20, 4 * decodedBytes)
