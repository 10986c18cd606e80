import { Counter, Gauge } from 'prom-client'
import type { Registry } from 'prom-client'

export interface AccessMetrics {
  lastUsed: Gauge<'key'>
  refused: Counter<'code'>
  fileLoads: Counter<'outcome'>
  fileGood: Gauge
}

/** `lastUses`: epoch milliseconds by key id, of this process. */
export function accessMetrics (registry: Registry, lastUses: ReadonlyMap<string, number>): AccessMetrics {
  const registers = [registry]
  // Ids are made by us and at most as many as there are keys; what a client sent is never a label.
  const lastUsed = new Gauge({
    name: 'millrace_key_last_used_timestamp_seconds',
    help: 'When a key was last accepted by this process, by the id of the key.',
    labelNames: ['key'] as const,
    registers,
    collect () {
      for (const [key, ms] of lastUses) this.labels(key).set(ms / 1000)
    }
  })
  return {
    lastUsed,
    refused: new Counter({
      name: 'millrace_access_refused_total',
      help: 'Requests refused for want of a key, a scope or a free slot, by error code.',
      labelNames: ['code'] as const,
      registers
    }),
    fileLoads: new Counter({
      name: 'millrace_access_file_loads_total',
      help: 'Changes of the file of keys, by outcome: loaded, or refused because the file is broken.',
      labelNames: ['outcome'] as const,
      registers
    }),
    fileGood: new Gauge({
      name: 'millrace_access_file_good',
      help: '1 where the keys in force are those of the file, 0 where the file is broken or gone.',
      registers
    })
  }
}
