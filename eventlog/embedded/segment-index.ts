/** Where the batches of each partition lie in one segment. */
import type { FrameBatch } from './segment-frame.ts'

export interface BatchPlace {
  base: number
  /** Where in the segment it begins. */
  at: number
  bytes: number
}

export class SegmentIndex {
  /** By partition, in the order of their offsets. */
  readonly #places = new Map<number, BatchPlace[]>()

  /** Batches come in the order in which they lie in the segment. */
  add ({ partition, base, bytes }: FrameBatch, at: number): void {
    const places = this.#places.get(partition)
    if (places === undefined) this.#places.set(partition, [{ base, at, bytes }])
    else places.push({ base, at, bytes })
  }

  /** The batch that holds the offset, and those after it; all where the offset comes before the first. */
  * from (partition: number, offset: number): Generator<BatchPlace> {
    const places = this.#places.get(partition) ?? []
    for (let index = lastAtOrBefore(places, offset); index < places.length; index++) {
      yield places[index] as BatchPlace
    }
  }
}

/** 0 where there is none. */
function lastAtOrBefore (places: readonly BatchPlace[], offset: number): number {
  let low = 0
  let high = places.length - 1
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if ((places[middle] as BatchPlace).base <= offset) low = middle
    else high = middle - 1
  }
  return low
}
