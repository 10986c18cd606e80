import { defineConfig } from 'vitest/config'

/** What is waited for takes many times longer on a busy machine; a deadline that is met costs nothing. */
const PATIENT = { expect: { poll: { timeout: 60_000, interval: 25 } }, hookTimeout: 300_000 }

// unit: no process, socket or engine. int: a real broker, LMDB or ClickHouse engine. e2e: the whole system as
// processes.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['tests/**/*.test.ts'],
          exclude: ['tests/**/*.int.test.ts', 'tests/e2e/**'],
          ...PATIENT,
          testTimeout: 120_000
        }
      },
      {
        test: {
          name: 'int',
          include: ['tests/**/*.int.test.ts'],
          exclude: ['tests/e2e/**'],
          globalSetup: ['tests/support/kafka-setup.ts'],
          pool: 'forks',
          maxWorkers: 2,
          ...PATIENT,
          testTimeout: 240_000
        }
      },
      {
        test: {
          name: 'e2e',
          include: ['tests/e2e/**/*.test.ts'],
          globalSetup: ['tests/support/kafka-setup.ts'],
          pool: 'forks',
          fileParallelism: false,
          ...PATIENT,
          testTimeout: 600_000
        }
      }
    ]
  }
})
