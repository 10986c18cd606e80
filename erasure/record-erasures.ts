import { MillraceError } from '../contract/index.ts'
import type { ErasableRecord, Tombstones } from './tombstone.ts'
import type { SubjectHasher } from './subject-hash.ts'
import type { TombstoneLease } from './tombstone-lease.ts'

/**
 * For processors and replays: which records of the log must not be stored. `current` rejects as the lease
 * does. `isErased` throws MillraceError `storage_unavailable` of a record that is older than what the lease
 * keeps, which then reads everything: ask again with what is current by then.
 */
export function recordErasures (lease: TombstoneLease, hasher: SubjectHasher | undefined) {
  return {
    async current () {
      const tombstones: Tombstones = await lease.current()
      return {
        asOfMs: tombstones.readAtMs,
        // Without a key there are no tombstones: the lease would have failed.
        isErased: (record: ErasableRecord, asOfMs: number): boolean => {
          if (record.timestampMs <= tombstones.forgottenUntilMs) {
            lease.keepAll()
            throw new MillraceError('storage_unavailable', 'A record is older than the erasures that are kept in memory')
          }
          return hasher !== undefined && tombstones.erases(record, hasher, asOfMs)
        }
      }
    }
  }
}
