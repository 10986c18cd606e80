import { Gauge } from 'prom-client'
import { streams } from '../../contract/index.ts'
import { DAY_MS } from '../parse-window.ts'
import { readBalances } from './read-ledger.ts'
import type { Registry } from 'prom-client'
import type { LedgerSources } from './read-ledger.ts'

const MINUTE_MS = 60_000
/** Milliseconds between two looks: the books are for alerts, which wait for minutes. */
const LOOK_INTERVAL_MS = MINUTE_MS
const LOOK_MS_MAX = 20_000

export interface ImbalanceGauge {
  /** Looks at once; never rejects. */
  look: () => Promise<void>
  close: () => Promise<void>
}

/**
 * `millrace_ledger_imbalance{stream}`: what the batches of the last day do not account for, or account for
 * twice. It keeps its last value where log or database do not answer;
 * `millrace_ledger_checked_timestamp_seconds` says how old that is.
 */
export function imbalanceGauge (sources: LedgerSources, registry: Registry): ImbalanceGauge {
  const imbalance = new Gauge({
    name: 'millrace_ledger_imbalance',
    help: 'Records of the last day that the ledger misses or counts twice; 0 where it balances.',
    labelNames: ['stream'] as const,
    registers: [registry]
  })
  const checked = new Gauge({
    name: 'millrace_ledger_checked_timestamp_seconds',
    help: 'When the ledger was last compared with the log.',
    registers: [registry]
  })
  const closing = new AbortController()
  let running: Promise<void> | undefined
  const look = async (): Promise<void> => {
    running ??= update().catch(() => undefined).finally(() => { running = undefined })
    await running
  }
  const update = async (): Promise<void> => {
    const nowMs = sources.now()
    const toMs = Math.ceil((nowMs + 1) / MINUTE_MS) * MINUTE_MS
    const timeRange = { fromMs: toMs - DAY_MS, toMs }
    const found = await Promise.all(streams.map(({ name }) => sources.logPositions.positionsOf(name)))
    const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(LOOK_MS_MAX)])
    const { partitions } = await readBalances({ positions: found.flat(), timeRange }, sources.client, signal)
    for (const { name } of streams) {
      const own = partitions.filter(({ stream }) => stream === name)
      imbalance.labels(name).set(own.reduce((sum, partition) => sum + partition.imbalance, 0))
    }
    checked.set(nowMs / 1000)
  }
  const timer = setInterval(() => { look().catch(() => undefined) }, LOOK_INTERVAL_MS).unref()
  return {
    look,
    close: async () => {
      clearInterval(timer)
      closing.abort()
      await running
    }
  }
}
