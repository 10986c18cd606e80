import { Gauge } from 'prom-client'
import type { Registry } from 'prom-client'
import type { SpoolState, SpoolingLog } from './spooling-log.ts'

/** What a spool does, asked at each scrape. */
export function registerSpoolMetrics (
  registry: Registry, spool: Pick<SpoolingLog, 'states' | 'refusedBytes'>
): void {
  const show = (name: string, help: string, valueOf: (state: SpoolState) => number): void => {
    const gauge = new Gauge({
      name,
      help,
      labelNames: ['topic'] as const,
      registers: [registry],
      collect: () => { for (const state of spool.states()) gauge.set({ topic: state.topic }, valueOf(state)) }
    })
  }
  show('millrace_spool_records', 'Accepted events that wait on the local disk for the brokers.', (state) => state.records)
  show('millrace_spool_bytes', 'Bytes of the events that wait in the spool.', (state) => state.bytes)
  show('millrace_spooling', '1 while events go to the spool instead of the log.', (state) => Number(state.spooling))
  show('millrace_spool_forwarded_records', 'Events that this process forwarded from the spool to the log.',
    (state) => state.forwarded)
  show('millrace_spool_refused_records', 'Spooled events that the brokers found too large: each is a dead letter.',
    (state) => state.refused)
  const refusedBytes: Gauge = new Gauge({
    name: 'millrace_spool_refused_bytes',
    help: 'Bytes of such events, kept as files in the spool\'s folder until somebody removes them.',
    registers: [registry],
    collect: () => refusedBytes.set(spool.refusedBytes)
  })
}
