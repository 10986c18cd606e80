import { describe, inject } from 'vitest'

/** The two logs that the whole system runs on. */
export type LogKind = 'embedded' | 'kafka'

/**
 * Describes the same guarantees on each log. On Kafka they are skipped where there is no broker, which the
 * global set-up has said by then; with CI=true it has failed the run instead.
 */
export function describeOnEachLog (title: string, describeOn: (kind: LogKind) => void): void {
  const runs: Array<[LogKind, boolean]> = [['embedded', true], ['kafka', inject('kafkaBrokers') !== '']]
  for (const [kind, available] of runs) {
    describe.skipIf(!available)(`${title}, ${kind} log`, () => { describeOn(kind) })
  }
}
