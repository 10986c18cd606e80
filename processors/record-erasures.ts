/** What processors ask about erasure, before they store a record; the answer is given by cli. */
export interface RecordErasures {
  /**
   * What is known now: everything that was asked for a second ago, and whatever was effective at `asOfMs`.
   * Rejects where it cannot be known; the caller tries again, since going on without would store what was
   * erased.
   */
  current: () => Promise<KnownErasures>
}

export interface KnownErasures {
  /** An instant of the database's clock. Announced with a batch, so that a redo decides by the same. */
  asOfMs: number
  /**
   * Whether a record is erased by what was effective at `asOfMs`, an instant not beyond that of these
   * erasures. The same for ever. `key` is the record's key, asked for only where it is needed.
   */
  isErased: (record: ErasableRecord, asOfMs: number) => boolean
}

export interface ErasableRecord {
  /** Name of its stream. */
  stream: string
  /** Epoch milliseconds of arrival. */
  timestampMs: number
  key: () => Buffer
}

export const NOTHING_ERASED: RecordErasures = {
  current: async () => ({ asOfMs: 0, isErased: () => false })
}
