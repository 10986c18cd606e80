import { MillraceError } from '../../contract/index.ts'
import type { Row } from '../../contract/index.ts'
import type { Query, QueryClient } from '../../query-api/index.ts'

/** A tag as a plain in-memory table holds it: `row` is what a client sent, `ms` its time. */
export interface StoredTag {
  row: Row & Record<'cookie' | 'action' | 'origin' | 'brand_id' | 'category_id', string> & { price: number }
  ms: number
  partition: number
  offset: number
}

/**
 * The in-memory twin of the ClickHouse client: answers the API's two queries from an array, by their names
 * and parameters. `failOn` fails the n-th call, counted from 1.
 */
export class MemoryQueryClient implements QueryClient {
  readonly queries: Query[] = []
  tags: StoredTag[] = []
  failOn: number | undefined
  failure: Error = new MillraceError('storage_unavailable', 'The twin was told to fail')

  async query (query: Query): Promise<Row[]> {
    this.queries.push(query)
    if (this.queries.length === this.failOn) throw this.failure
    return query.name === 'profiles' ? this.profiles(query.params) : this.aggregates(query.params)
  }

  private profiles (params: Query['params']): Row[] {
    const cookies = params['cookies'] as string[]
    return cookies.flatMap((cookie, index) => ['BUY', 'VIEW'].flatMap((action) => {
      const from = (params['from_ms_each'] as number[] | undefined)?.[index] ?? params['from_ms'] as number
      const to = (params['to_ms_each'] as number[] | undefined)?.[index] ?? params['to_ms'] as number
      return this.tags
        .filter(({ row, ms }) => row.cookie === cookie && row.action === action && ms >= from && ms < to)
        .sort((a, b) => b.ms - a.ms || b.partition - a.partition || b.offset - a.offset)
        .slice(0, params['limit'] as number)
        .map(({ row }) => row)
    }))
  }

  private aggregates (params: Query['params']): Row[] {
    const sums = new Map<number, { count: bigint, sum: bigint }>()
    for (const { row, ms } of this.tags) {
      const minute = Math.floor(ms / 60_000) * 60
      if (minute < Number(params['from_s']) || minute >= Number(params['to_s'])) continue
      const names = ['action', 'origin', 'brand_id', 'category_id'].filter((name) => name in params)
      if (names.some((name) => row[name] !== params[name])) continue
      const { count, sum } = sums.get(minute) ?? { count: 0n, sum: 0n }
      sums.set(minute, { count: count + 1n, sum: sum + BigInt(row.price) })
    }
    return [...sums].map(([minute, { count, sum }]) => ({
      minute_s: minute, count_text: String(count), sum_price_text: String(sum)
    }))
  }
}
