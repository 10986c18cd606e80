import { SharedRead } from './read-sharing.ts'
import { imbalanceGauge } from './ledger/imbalance-gauge.ts'
import { readLedger } from './ledger/read-ledger.ts'
import { registerLedger } from './routes/ledger.ts'
import type { FastifyPluginAsync } from 'fastify'
import type { Registry } from 'prom-client'
import type { LedgerRequest } from './ledger/parse-ledger-request.ts'
import type { Ledger, LedgerSources } from './ledger/read-ledger.ts'

/** A ledger reads much and is for operators: one at a time, and few that wait. */
const LIMITS = {
  batchSizeMax: 1, batchBytesMax: 1, queueMax: 10, inFlightMax: 1, startIntervalMs: 0, timeoutMs: 60_000
} as const

export interface LedgerRoutesOptions extends LedgerSources {
  registry: Registry
}

/**
 * `GET /ledger` and the metric `millrace_ledger_imbalance`, for a server of `createServer`. The plugin owns
 * its queue and the metric's timer, and ends them when the server closes.
 */
export const ledgerRoutes: FastifyPluginAsync<LedgerRoutesOptions> = async (server, options) => {
  const { registry, ...sources } = options
  const ledgers = new SharedRead<LedgerRequest, Ledger>({
    limits: LIMITS,
    keyOf: (request) => JSON.stringify(request),
    groupOf: () => '',
    subjectOf: () => '',
    bytesOf: () => 0,
    readMany: (requests, signal) => {
      return Promise.all(requests.map((request) => readLedger(request, sources, signal)))
    }
  })
  const gauge = imbalanceGauge(sources, registry)
  registerLedger(server, { ledgers, now: sources.now })
  server.addHook('onReady', async () => { gauge.look().catch(() => undefined) })
  server.addHook('onClose', async () => {
    ledgers.close()
    await gauge.close()
  })
}
