/** Most bytes of what decodes to `decodedBytes`: no codec needs more for data that were declared. */
export const encodedLimit = (decodedBytes: number): number => Math.max(64 * 2 ** 20, 4 * decodedBytes)

/** Most bytes that one step of several makes of so many: no codec that is in use needs more for what it can't compress. */
export const stepLimit = (bytes: number): number => 2 * bytes + 65_536
