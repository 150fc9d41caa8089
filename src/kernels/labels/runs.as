// AssemblyScript, compiled by scripts/build-kernels.mjs. Connected components as runs of foreground voxels along the last axis.
// A run is three int32: the place of its first voxel, the place behind its last one, and the run that it belongs to, which is
// itself or an earlier one. At the end the third is the number of its component.

const RUN: usize = 12

// @ts-ignore: decorator
@inline
function maskOf<T>(from: usize, to: usize, count: i32): void {
  for (let i: i32 = 0; i < count; i++, from += sizeof<T>()) store<u8>(to + i, load<T>(from) != <T>0 ? 1 : 0)
}

/** Writes 1 for each element that is not 0: those of 2, 4 or 8 bytes, floats if `isFloat`. NaN is not 0, but -0 is. */
export function toMask(bytes: i32, isFloat: bool, from: usize, to: usize, count: i32): void {
  if (bytes == 2) maskOf<u16>(from, to, count)
  else if (bytes == 4) {
    if (isFloat) maskOf<f32>(from, to, count)
    else maskOf<u32>(from, to, count)
  } else if (isFloat) maskOf<f64>(from, to, count)
  else maskOf<u64>(from, to, count)
}

/**
 * Appends the runs of some rows.
 * @param mask address of rows · width bytes, and 16 more that can be read
 * @param place of the first voxel in the whole array
 * @param ends address of an int32 for each row: how many runs there are up to its end
 * @returns how many runs there are now
 */
export function findRuns(mask: usize, rows: i32, width: i32, place: i32, ends: usize, runs: usize, count: i32): i32 {
  let run = runs + <usize>count * RUN
  for (let row: i32 = 0; row < rows; row++, mask += width, place += width) {
    // Whether the voxel before is in a run that has no end yet.
    let open: u32 = 0
    for (let x: i32 = 0; x < width; x += 16) {
      let bits: u32 = i8x16.bitmask(i8x16.ne(v128.load(mask + x), i64x2.splat(0)))
      if (width - x < 16) bits &= (1 << (width - x)) - 1
      let changes: u32 = (bits ^ ((bits << 1) | open)) & 0xffff
      open = (bits >> 15) & 1
      for (; changes != 0; changes &= changes - 1) {
        const at = ctz(changes)
        const voxel = place + x + at
        if ((bits >> at) & 1) store<i32>(run, voxel)
        else {
          store<i32>(run, voxel, 4)
          store<i32>(run, count++, 8)
          run += RUN
        }
      }
    }
    if (open) {
      store<i32>(run, place + width, 4)
      store<i32>(run, count++, 8)
      run += RUN
    }
    store<i32>(ends, count)
    ends += 4
  }
  return count
}

/** The first run of a set. */
// @ts-ignore: decorator
@inline
function find(runs: usize, member: i32): i32 {
  let parent = load<i32>(runs + <usize>member * RUN, 8)
  while (parent != member) {
    const above = load<i32>(runs + <usize>parent * RUN, 8)
    store<i32>(runs + <usize>member * RUN, above, 8)
    member = above
    parent = load<i32>(runs + <usize>member * RUN, 8)
  }
  return member
}

/** Unites the runs of a row with those of an earlier one, whose voxels are `by` away, counted from this row. */
function uniteRows(runs: usize, first: i32, last: i32, other: i32, lastOther: i32, by: i32, reach: i32): void {
  if (first == last || other == lastOther) return
  let run = runs + <usize>first * RUN
  let start = load<i32>(run) + by - reach
  let end = load<i32>(run, 4) + by + reach
  let place = runs + <usize>other * RUN
  for (;;) {
    const otherEnd = load<i32>(place, 4)
    if (otherEnd > start && load<i32>(place) < end) {
      const one = find(runs, first)
      const two = find(runs, other)
      if (one < two) store<i32>(runs + <usize>two * RUN, one, 8)
      else if (two < one) store<i32>(runs + <usize>one * RUN, two, 8)
    }
    // The run that ends first can touch nothing more in the other row. With diagonal neighbours both may.
    if (otherEnd < end) {
      if (++other == lastOther) return
      place += RUN
    } else {
      if (++first == last) return
      run += RUN
      start = load<i32>(run) + by - reach
      end = load<i32>(run, 4) + by + reach
    }
  }
}

/**
 * Unites the runs that touch.
 * @param ends as `findRuns` wrote them, of all rows; before the first of them is a 0
 * @param rank how many axes there are before the last one
 * @param lengths address of the lengths of these axes, int32
 * @param index address of as many int32, all 0
 * @param steps address of the steps to earlier rows that a row may touch, each `rank` int32 along the axes, then by how many rows,
 * and 1 if diagonal neighbours along the rows touch, too
 */
export function uniteRuns(
  runs: usize, ends: usize, rows: i32, width: i32, rank: i32, lengths: usize, index: usize, steps: usize, stepCount: i32,
): void {
  for (let row: i32 = 0; row < rows; row++) {
    const at = ends + (<usize>row << 2)
    let step = steps
    for (let i: i32 = 0; i < stepCount; i++) {
      let isInside = true
      for (let axis: i32 = 0; axis < rank; axis++) {
        const to = load<i32>(index + (axis << 2)) + load<i32>(step + (axis << 2))
        if (<u32>to >= <u32>load<i32>(lengths + (axis << 2))) isInside = false
      }
      step += <usize>rank << 2
      const offset = load<i32>(step)
      const reach = load<i32>(step, 4)
      step += 8
      if (!isInside) continue
      const other = at + (offset << 2)
      uniteRows(runs, load<i32>(at - 4), load<i32>(at), load<i32>(other - 4), load<i32>(other), offset * width, reach)
    }
    for (let axis = rank - 1; axis >= 0; axis--) {
      const place = index + (axis << 2)
      const next = load<i32>(place) + 1
      if (next < load<i32>(lengths + (axis << 2))) {
        store<i32>(place, next)
        break
      }
      store<i32>(place, 0)
    }
  }
}

/** Numbers the components 1, 2, … in the order of their first runs. @returns how many there are */
export function numberRuns(runs: usize, count: i32): i32 {
  let components: i32 = 0
  for (let run: i32 = 0; run < count; run++) {
    const place = runs + <usize>run * RUN + 8
    const earlier = load<i32>(place)
    // Earlier runs have their number already.
    store<i32>(place, earlier == run ? ++components : load<i32>(runs + <usize>earlier * RUN, 8))
  }
  return components
}
