/**
 * Global set-up of the integration and end-to-end suites: one Kafka broker for the run. With KAFKA_BROKERS
 * set (comma-separated addresses), that cluster is used instead. Tests get the address by
 * `inject('kafkaBrokers')`; it is empty where there is no broker, and then they are skipped.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { installKafka, startBroker } from './kafka-broker.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    kafkaBrokers: string
  }
}

export default async function setup (project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const given = process.env['KAFKA_BROKERS']
  if (given !== undefined && given !== '') {
    project.provide('kafkaBrokers', given)
    return
  }
  try {
    await installKafka()
  } catch (error) {
    if (process.env['CI'] === 'true') throw error
    console.warn(`Tests that need Kafka are skipped: ${(error as Error).message}`)
    project.provide('kafkaBrokers', '')
    return
  }
  const directory = mkdtempSync(join(tmpdir(), 'millrace-kafka-'))
  const remove = (): void => rmSync(directory, { recursive: true, force: true })
  try {
    const broker = await startBroker({ directory })
    project.provide('kafkaBrokers', broker.bootstrap)
    return async () => {
      await broker.stop()
      remove()
    }
  } catch (error) {
    remove()
    throw error
  }
}
