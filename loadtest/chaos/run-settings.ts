/** Where a chaos run is set up otherwise than the defaults are; its report says so. */
import { SESSION_MS } from './fault-kinds.ts'

export interface RunSetting {
  name: string
  value: string
  /** A sentence. */
  why: string
}

const FAULTS_ARE_SHORT = 'Faults are over in seconds: so is the wait for what does not answer.'

/** Of every role that knows the setting. */
export const RUN_SETTINGS: readonly RunSetting[] = [
  {
    name: 'DUPLICATE_WINDOW_MS',
    value: '86400000',
    why: 'A day, not ten minutes: copies are found by arrival, and clocks are moved by hours, so that those of one event arrive hours apart.'
  },
  { name: 'CLICKHOUSE_REQUEST_TIMEOUT_MS', value: '4000', why: FAULTS_ARE_SHORT },
  { name: 'QUERY_SECONDS_MAX', value: '3', why: 'It has to be below CLICKHOUSE_REQUEST_TIMEOUT_MS.' },
  { name: 'RETRY_MS_MAX', value: '1000', why: FAULTS_ARE_SHORT },
  {
    name: 'LOG_SESSION_TIMEOUT_MS',
    value: String(SESSION_MS),
    why: 'The default of the embedded log, on Kafka too: a processor that stands still for seconds is to lose its partitions.'
  },
  { name: 'BATCH_AGE_MS_MAX', value: '300', why: 'More batches, so that more faults fall into one.' },
  {
    name: 'INGEST_BUDGET_MS',
    value: '500',
    why: 'Roles, broker, clients and faults share the machine: what is merely slow is not to be refused.'
  },
  { name: 'INSERTS_MAX', value: '2', why: 'Of each of the two processors, on one small ClickHouse.' }
]

export function runEnvironment (): Record<string, string> {
  return Object.fromEntries(RUN_SETTINGS.map(({ name, value }) => [name, value]))
}
