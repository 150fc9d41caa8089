// AssemblyScript, compiled by scripts/build-kernels.mjs. What ../bzip2.ts does, where the format is described. Anything that is wrong
// with the input ends in -1; that is for ../bzip2.ts to explain. Up to BEYOND bytes after the input and the output may be read or written.

export function heapStart(): usize {
  return __heap_base
}

const MOST_SYMBOLS: usize = 258
const MOST_TABLES: usize = 6
const MOST_LENGTH: i32 = 20
/** Codes up to so many bits are looked up. */
const FAST_BITS: i32 = 10
const FAST_BYTES: usize = 2 << FAST_BITS
/** By length: the first code, shifted to 20 bits, of those that are longer; what is added to a code to get its symbol's place. */
const TABLE_BYTES: usize = FAST_BYTES + 22 * 4 + 22 * 4 + 2 * MOST_SYMBOLS
const LIMITS: usize = FAST_BYTES
const OFFSETS: usize = LIMITS + 22 * 4
const SYMBOLS: usize = OFFSETS + 22 * 4

const TABLES = memory.data(16448, 16)
const LENGTHS = memory.data(260, 16)
const ORDER = memory.data(272, 16)
const SELECTORS = memory.data(32768, 16)
const STARTS = memory.data(1028, 16)
const CHECKSUMS = memory.data(1024, 16)
for (let byte: u32 = 0; byte < 256; byte++) {
  let value = byte << 24
  for (let bit = 0; bit < 8; bit++) value = value & 0x80000000 ? (value << 1) ^ 0x04c11db7 : value << 1
  store<u32>(CHECKSUMS + (byte << 2), value)
}

let from: usize = 0
let inputEnd: usize = 0
let held: u64 = 0
let count: i32 = 0
/** Set if more was read than there is, or something is wrong. */
let failed: bool = false

/** Makes at least 32 bits available; those beyond the end are 0. */
// @ts-ignore: decorator
@inline
function refill(): void {
  while (count <= 56) {
    held = (held << 8) | (from < inputEnd ? <u64>load<u8>(from) : 0)
    from++
    count += 8
  }
}

/** @param bits at most 32 */
function read(bits: i32): u32 {
  refill()
  count -= bits
  return <u32>((held >> count) & ((<u64>1 << bits) - 1))
}

/** Whether bits beyond the end were read. */
function isBeyond(): bool {
  return from > inputEnd && <i32>(from - inputEnd) * 8 > count
}

/** @returns the number of bytes that occur, which are in ORDER */
function readAlphabet(): i32 {
  const ranges = read(16)
  let used: i32 = 0
  for (let range: u32 = 0; range < 16; range++) {
    if ((ranges & (0x8000 >> range)) == 0) continue
    const bytes = read(16)
    for (let i: u32 = 0; i < 16; i++) if (bytes & (0x8000 >> i)) store<u8>(ORDER + used++, <u8>(16 * range + i))
  }
  return used
}

/** @returns how many groups there are, whose tables are in SELECTORS; 0 if that is wrong */
function readSelectors(tables: i32): i32 {
  if (tables < 2 || tables > 6) return 0
  const groups = <i32>read(15)
  let order: u64 = 0x050403020100
  for (let i = 0; i < groups; i++) {
    let position = 0
    while (read(1) == 1) if (++position >= tables) return 0
    const shift = 8 * position
    const table = (order >> shift) & 0xff
    const before = order & ((<u64>1 << shift) - 1)
    const after = order & ~((<u64>1 << (shift + 8)) - 1)
    order = after | (before << 8) | table
    store<u8>(SELECTORS + i, <u8>table)
  }
  return groups
}

/** Reads a canonical code. */
function readCode(table: usize, symbols: i32): bool {
  let length = <i32>read(5)
  for (let symbol = 0; symbol < symbols; symbol++) {
    for (;;) {
      if (length < 1 || length > MOST_LENGTH) return false
      if (read(1) == 0) break
      length += read(1) == 0 ? 1 : -1
    }
    store<u8>(LENGTHS + symbol, <u8>length)
  }
  memory.fill(table, 0, FAST_BYTES)
  let place: i32 = 0
  let code: i32 = 0
  for (let bits = 1; bits <= MOST_LENGTH; bits++) {
    store<i32>(table + OFFSETS + 4 * bits, place - code)
    for (let symbol = 0; symbol < symbols; symbol++) {
      if (<i32>load<u8>(LENGTHS + symbol) != bits) continue
      store<u16>(table + SYMBOLS + 2 * place++, <u16>symbol)
      if (bits <= FAST_BITS) {
        const first = code << (FAST_BITS - bits)
        // More codes than there can be of this length are those that no input has.
        for (let i = 0; i < 1 << (FAST_BITS - bits) && first + i < 1 << FAST_BITS; i++) {
          store<u16>(table + 2 * (first + i), <u16>((symbol << 5) | bits))
        }
      }
      code++
    }
    store<i32>(table + LIMITS + 4 * bits, code << (MOST_LENGTH - bits))
    code <<= 1
  }
  return true
}

/** Reads the symbols of a block into the low bytes of `block`. @returns how many there are; -1 if something is wrong */
function readBlock(block: usize, blockSize: i32): i32 {
  const used = readAlphabet()
  if (used == 0) return -1
  const symbols = used + 2
  const tables = <i32>read(3)
  const groups = readSelectors(tables)
  if (groups == 0) return -1
  for (let i = 0; i < tables; i++) if (!readCode(TABLES + <usize>i * TABLE_BYTES, symbols)) return -1
  let length: i32 = 0
  let run: i32 = 0
  let weight: i32 = 1
  const last = symbols - 1
  for (let group = 0; group < groups; group++) {
    if (isBeyond()) return -1
    const table = TABLES + <usize>load<u8>(SELECTORS + group) * TABLE_BYTES
    for (let left = 50; left > 0; left--) {
      refill()
      let symbol: i32
      const entry = <i32>load<u16>(table + (<usize>((held >> (count - FAST_BITS)) & ((1 << FAST_BITS) - 1)) << 1))
      if (entry != 0) {
        count -= entry & 31
        symbol = entry >> 5
      } else {
        const bits20 = <i32>((held >> (count - MOST_LENGTH)) & ((1 << MOST_LENGTH) - 1))
        let bits = FAST_BITS + 1
        while (bits <= MOST_LENGTH && bits20 >= load<i32>(table + LIMITS + 4 * bits)) bits++
        if (bits > MOST_LENGTH) return -1
        count -= bits
        const place = (bits20 >> (MOST_LENGTH - bits)) + load<i32>(table + OFFSETS + 4 * bits)
        if (<u32>place >= <u32>symbols) return -1
        symbol = load<u16>(table + SYMBOLS + 2 * place)
      }
      if (symbol <= 1) {
        if (weight > blockSize) return -1
        run += weight << symbol
        weight <<= 1
        continue
      }
      if (run > 0) {
        if (run > blockSize - length) return -1
        const byte = <u32>load<u8>(ORDER)
        for (let at = block + (length << 2), end = at + (run << 2); at < end; at += 4) store<u32>(at, byte)
        length += run
        run = 0
        weight = 1
      }
      if (symbol == last) return length
      if (length == blockSize) return -1
      const index = symbol - 1
      const byte = load<u8>(ORDER + index)
      if (index > 16) memory.copy(ORDER + 1, ORDER, index)
      else for (let i = index; i > 0; i--) store<u8>(ORDER + i, load<u8>(ORDER + i - 1))
      store<u8>(ORDER, byte)
      store<u32>(block + (length++ << 2), <u32>byte)
    }
  }
  return -1
}

let checksum: u32 = 0

/** Reverses the transform and the run lengths. @returns where the output ends; 0 if it does not fit */
function writeBlock(block: usize, length: i32, origin: i32, to: usize, end: usize): usize {
  checksum = 0
  if (length == 0) return to
  memory.fill(STARTS, 0, 1028)
  for (let i = 0; i < length; i++) {
    const place = STARTS + 4 + ((load<u32>(block + (i << 2)) & 255) << 2)
    store<u32>(place, load<u32>(place) + 1)
  }
  for (let i: usize = 0; i < 1024; i += 4) store<u32>(STARTS + i + 4, load<u32>(STARTS + i + 4) + load<u32>(STARTS + i))
  for (let i = 0; i < length; i++) {
    const place = STARTS + ((load<u32>(block + (i << 2)) & 255) << 2)
    const start = load<u32>(place)
    store<u32>(place, start + 1)
    const entry = block + (start << 2)
    store<u32>(entry, load<u32>(entry) | (<u32>i << 8))
  }
  let sum: u32 = 0xffffffff
  let next = load<u32>(block + (origin << 2)) >> 8
  let repeated = 0
  let last: i32 = -1
  for (let i = 0; i < length; i++) {
    const entry = load<u32>(block + (next << 2))
    const byte = <i32>(entry & 255)
    next = entry >> 8
    if (repeated == 4) {
      if (<usize>byte > end - to) return 0
      for (let n = byte; n > 0; n--) {
        store<u8>(to++, <u8>last)
        sum = (sum << 8) ^ load<u32>(CHECKSUMS + (((sum >> 24) ^ <u32>last) << 2))
      }
      repeated = 0
      last = -1
      continue
    }
    repeated = byte == last ? repeated + 1 : 1
    last = byte
    if (to == end) return 0
    store<u8>(to++, <u8>byte)
    sum = (sum << 8) ^ load<u32>(CHECKSUMS + (((sum >> 24) ^ <u32>byte) << 2))
  }
  checksum = ~sum
  return to
}

/**
 * Decodes all streams.
 * @param block memory for the symbols of a block, four bytes each: 900,000 of them
 * @returns how many bytes they decode to; -1 for anything but valid streams of `outputLength` bytes at most
 */
export function decodeBzip2(input: usize, inputLength: usize, output: usize, outputLength: usize, block: usize): i32 {
  from = input
  inputEnd = input + inputLength
  held = 0
  count = 0
  let to = output
  const outputEnd = output + outputLength
  do {
    if (read(24) != 0x425a68) return -1
    const level = <i32>read(8) - 0x30
    if (level < 1 || level > 9) return -1
    let combined: u32 = 0
    for (;;) {
      const magic = (<u64>read(24) << 24) | read(24)
      const stored = read(32)
      if (isBeyond()) return -1
      if (magic == 0x177245385090) {
        if (stored != combined) return -1
        break
      }
      if (magic != 0x314159265359 || read(1) == 1) return -1
      const origin = <i32>read(24)
      const length = readBlock(block, level * 100000)
      if (length < 0 || isBeyond() || (length > 0 && origin >= length)) return -1
      to = writeBlock(block, length, origin, to, outputEnd)
      if (to == 0 || checksum != stored) return -1
      combined = ((combined << 1) | (combined >> 31)) ^ checksum
    }
    // The next stream starts at a whole byte.
    count -= count & 7
  } while (from - <usize>(count >> 3) < inputEnd)
  return <i32>(to - output)
}
