import { clientSignal } from '../client-signal.ts'
import { LEDGER_OPERATION } from '../operations/ledger.ts'
import { parseLedgerRequest } from '../ledger/parse-ledger-request.ts'
import type { FastifyInstance } from 'fastify'
import type { RawQuery } from '../../http/index.ts'
import type { SharedRead } from '../read-sharing.ts'
import type { LedgerRequest } from '../ledger/parse-ledger-request.ts'
import type { Ledger } from '../ledger/read-ledger.ts'

export interface LedgerOptions {
  ledgers: SharedRead<LedgerRequest, Ledger>
  /** Epoch milliseconds. */
  now: () => number
}

/**
 * `GET /ledger?from=&to=&stream=&recount=&limit=&cursor=`: accepted = stored + dead-lettered + duplicates +
 * erased + in flight, for the whole installation, and where that does not hold (docs/operations.md).
 */
export function registerLedger (server: FastifyInstance, { ledgers, now }: LedgerOptions): void {
  const config = { access: { scope: 'admin' as const }, operation: LEDGER_OPERATION }
  server.get<{ Querystring: RawQuery }>('/ledger', { config }, async (request, reply) => {
    return await ledgers.read(parseLedgerRequest(request.query, now()), clientSignal(reply))
  })
}
