/** Events of the stream user_tags, written as its clients write them: nothing of the pipeline is used. */
export interface TagOptions {
  time?: string
  cookie?: string
  country?: string
  device?: string
  action?: string
  origin?: string
  product?: number | string
  brand?: string
  category?: string
  price?: number
}

export interface Tag {
  time: string
  cookie: string
  country: string
  device: string
  action: string
  origin: string
  product_info: { product_id: number | string, brand_id: string, category_id: string, price: number }
}

/** A valid event; what is not given is plain. */
export function tag (options: TagOptions = {}): Tag {
  const { product = 1, brand = 'adidas', category = 'shoes', price = 100, ...outer } = options
  return {
    time: '2022-03-22T12:15:00.000Z',
    cookie: 'cookie',
    country: 'PL',
    device: 'PC',
    action: 'VIEW',
    origin: 'CAMPAIGN_1',
    ...outer,
    product_info: { product_id: product, brand_id: brand, category_id: category, price }
  }
}

/** `time_range` of a query: two instants `YYYY-MM-DDTHH:MM:SS[.fff]`. */
export function range (from: string, to: string): string {
  return `time_range=${from}_${to}`
}

/** An instant in the form that `time_range` wants, milliseconds included. */
export function instant (ms: number): string {
  return new Date(ms).toISOString().slice(0, -1)
}

/** A minute's start in the form that `/aggregates` takes and answers. */
export function minute (ms: number): string {
  return new Date(ms).toISOString().slice(0, 19)
}

export function productIds (tags: ReadonlyArray<Record<string, unknown>>): unknown[] {
  return tags.map((one) => (one['product_info'] as { product_id: unknown }).product_id)
}
