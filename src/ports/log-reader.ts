/**
 * Reads the end of a worker's log: its last 16 KiB at most, from the start of a line.
 * @param from the byte to start from at the earliest, when earlier output is not this worker's. @default 0
 * @throws the system's error when the file can't be read
 */
export type LogReader = (path: string, from?: number) => Promise<string>
