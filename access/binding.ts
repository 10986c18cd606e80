import { isIPv4 } from 'node:net'
import { AccessError } from './errors.ts'
import type { Gate } from './gate.ts'

/**
 * Nobody but this machine may reach a system that runs open. Throws AccessError `open_on_network` where
 * `host` is another address than loopback and no key is needed.
 */
export function checkBinding (host: string, gate: Pick<Gate, 'required'>): void {
  if (gate.required || isLoopback(host)) return
  throw new AccessError('open_on_network', [
    `HTTP_HOST=${host} would open the system to everybody who reaches this machine`,
    'create a key first (millrace keys create), set AUTH=required, or listen on 127.0.0.1'
  ].join(': '))
}

function isLoopback (host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'))
}
