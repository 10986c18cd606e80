import { MillraceError } from '../contract/index.ts'
import { erasedCondition } from './personal-tables.ts'
import type { ErasedCondition, PersonalTable } from './personal-tables.ts'
import type { SubjectHasher } from './subject-hash.ts'
import type { TombstoneLease } from './tombstone-lease.ts'

export interface ErasureVisibilityOptions {
  lease: TombstoneLease
  hasher: SubjectHasher | undefined
  tables: readonly PersonalTable[]
}

/** What a tenant's reads must not show now, though a table may still give it. */
export interface TenantVisibility {
  /** Changes with every erasure. */
  version: string
  /** By table: a condition that holds for the rows to leave out. */
  hidden: ReadonlyMap<string, ErasedCondition>
}

/** From tombstones to conditions; there are none once an erasure is masked. `of` rejects
 * with MillraceError `storage_unavailable`. */
export function erasureVisibility ({ lease, hasher, tables }: ErasureVisibilityOptions) {
  return {
    async of (tenant: string): Promise<TenantVisibility> {
      const tombstones = await lease.current().catch((cause: unknown) => {
        throw new MillraceError('storage_unavailable', 'The erasures cannot be read', { cause })
      })
      const hiding = tombstones.hiding(tenant)
      const hidden = new Map<string, ErasedCondition>()
      if (hiding.length > 0 && hasher !== undefined) {
        for (const table of tables) {
          const condition = erasedCondition(table, hiding, hasher)
          if (condition !== undefined) hidden.set(table.name, condition)
        }
      }
      return { version: tombstones.versionOf(tenant), hidden }
    }
  }
}
