import { fileURLToPath } from 'node:url'
import { describe, inject } from 'vitest'
import { openKafkaLog } from '../../eventlog/index.ts'
import { describeEventLog } from './conformance.ts'

const brokers = inject('kafkaBrokers').split(',')

describe.skipIf(brokers[0] === '')('conformance', () => {
  describeEventLog('Kafka', async () => {
    const settings = { brokers, clientId: 'conformance', sessionTimeoutMs: 1500, rebalanceTimeoutMs: 5000 }
    return {
      open: async () => openKafkaLog(settings),
      child: { module: fileURLToPath(new URL('kafka-child.ts', import.meta.url)), config: settings },
      tooLargeBytes: 2_000_000,
      deadlineMs: 15_000,
      close: async () => {}
    }
  })
})
