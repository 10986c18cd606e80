import { defineConfig } from 'vitest/config'

// unit: no process, socket or engine. int: a real broker, LMDB or ClickHouse engine. e2e: the whole system as
// processes.
export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['tests/**/*.test.ts'], exclude: ['tests/**/*.int.test.ts', 'tests/e2e/**'] } },
      {
        test: {
          name: 'int',
          include: ['tests/**/*.int.test.ts'],
          exclude: ['tests/e2e/**'],
          globalSetup: ['tests/support/kafka-setup.ts'],
          pool: 'forks',
          maxWorkers: 2,
          testTimeout: 60_000,
          hookTimeout: 120_000
        }
      },
      {
        test: {
          name: 'e2e',
          include: ['tests/e2e/**/*.test.ts'],
          globalSetup: ['tests/support/kafka-setup.ts'],
          pool: 'forks',
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 120_000
        }
      }
    ]
  }
})
