import { createEncoder, userTags } from '../../contract/index.ts'
import type { Envelope } from '../../contract/index.ts'

export interface UserTagOptions {
  eventId: string
  eventIdOrigin?: Envelope['eventIdOrigin']
  tenant?: string
  cookie?: string
  price?: number
  /** Time of the event, epoch milliseconds, as no ingest would check it. */
  time?: number
}

/** Makes the bytes of records of user_tags, as they stand in the log. */
export interface UserTagRecords {
  bytes: (options: UserTagOptions) => Buffer
}

export async function createUserTagRecords (): Promise<UserTagRecords> {
  const encoder = await createEncoder(userTags)
  return {
    bytes: ({ eventId, eventIdOrigin = 'SERVER', tenant = 'default', cookie = 'c', price = 1, time }) => {
      const record = userTags.toRecord({
        time: '2022-03-22T12:15:00.000Z',
        cookie,
        country: 'CL',
        device: 'PC',
        action: 'VIEW',
        origin: 'o',
        product_info: { product_id: 1, brand_id: 'b', category_id: 'c', price }
      }, { tenant, eventId, eventIdOrigin })
      return encoder.encode(time === undefined ? record : { ...record, time })
    }
  }
}
