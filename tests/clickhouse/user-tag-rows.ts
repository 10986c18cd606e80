import { userTags } from '../../contract/index.ts'

type Row = Record<string, unknown>

/** Rows of the table user_tags at rising offsets; the same offset is always the same row. */
export function userTagRows (firstOffset: number, count: number, cookies = 50): Row[] {
  return Array.from({ length: count }, (_, index) => {
    const offset = firstOffset + index
    const record = userTags.toRecord({
      time: new Date(Date.UTC(2022, 2, 22, 12, 15) + offset * 1000).toISOString(),
      cookie: `cookie${offset % cookies}`,
      country: 'PL',
      device: 'PC',
      action: offset % 5 === 0 ? 'BUY' : 'VIEW',
      origin: `CAMPAIGN_${offset % 10}`,
      product_info: { product_id: offset, brand_id: `brand${offset % 7}`, category_id: 'shoes', price: offset }
    }, { tenant: 'default', eventId: `event-${offset}`, eventIdOrigin: 'SERVER' })
    return userTags.toRow(record, { partition: 0, offset, receivedAtMs: Date.UTC(2026, 10, 20) + offset })
  })
}
