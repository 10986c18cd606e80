import type { ErasableRecord, Tombstones } from './tombstone.ts'
import type { SubjectHasher } from './subject-hash.ts'
import type { TombstoneLease } from './tombstone-lease.ts'

/**
 * For processors and replays: which records of the log must not be stored. `current` rejects as the lease
 * does.
 */
export function recordErasures (lease: TombstoneLease, hasher: SubjectHasher | undefined) {
  return {
    async current () {
      const tombstones: Tombstones = await lease.current()
      return {
        asOfMs: tombstones.readAtMs,
        // Without a key there are no tombstones: the lease would have failed.
        isErased: (record: ErasableRecord, asOfMs: number): boolean => {
          return hasher !== undefined && tombstones.erases(record, hasher, asOfMs)
        }
      }
    }
  }
}
