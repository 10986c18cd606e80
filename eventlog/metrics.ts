import { Gauge } from 'prom-client'
import type { Registry } from 'prom-client'
import type { EventLog } from './event-log.ts'

/** What the log holds of what it may, asked at each scrape; nothing for a log without a bound of its own. */
export function registerLogMetrics (registry: Registry, log: Pick<EventLog, 'size'>): void {
  const { size } = log
  if (size === undefined) return
  const bytes: Gauge = new Gauge({
    name: 'millrace_log_bytes',
    help: 'Bytes of all records of the embedded log.',
    registers: [registry],
    collect: () => bytes.set(size.call(log).bytes)
  })
  const bytesMax: Gauge = new Gauge({
    name: 'millrace_log_bytes_max',
    help: 'Bytes that the embedded log may hold (LOG_BYTES_MAX); at them events are refused as log_full.',
    registers: [registry],
    collect: () => bytesMax.set(size.call(log).bytesMax)
  })
}
