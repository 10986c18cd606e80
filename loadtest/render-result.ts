import { ENDPOINTS } from './k6-run.ts'
import { POLL_MS } from './freshness.ts'
import { circumstances, down, list, megabytes, settingTable, table, targetTable, up, verdict } from './markdown.ts'
import { distributionOf } from './percentiles.ts'
import type { BenchResult, Firehose, FullSpeed } from './bench-result.ts'
import type { FullSpeedRound } from './full-speed.ts'

/** The result as Markdown, for people. Every figure comes from the result; none is rounded in our favour. */
export function renderResult (result: BenchResult): string {
  const { startedAt, machine, targets, settings, firehose, fullSpeed } = result
  return [
    `# Load test, ${startedAt.slice(0, 10)}`,
    `${verdict(targets)}. Written by \`node loadtest/bench.ts\`.`,
    '## Targets',
    targetTable(targets),
    ...firehoseSection(firehose),
    ...fullSpeedSection(fullSpeed),
    '## Conditions',
    list([
      `Everything ran on one machine: the load generators shared its ${machine.cores} cores with the system.`,
      ...circumstances(result),
      'The system ran with its default settings (embedded log and embedded ClickHouse), on a fresh data folder; only the ' +
        'ports, the folder and LOG_LEVEL=warn were set.',
      'Latencies of the firehose are k6\'s http_req_duration: from the first byte sent to the last one read. k6 starts ' +
        'requests at a constant rate whether or not earlier ones were answered; its own garbage collector runs less often ' +
        'than by default (GOGC=400), which takes a third of its CPU off the shared cores.',
      `A probe posts an event of a new shopper and reads the profile every ${POLL_MS} ms until it shows; these reads come ` +
        'on top of the load.',
      'Full speed: autocannon in a process of its own, one request at a time on each connection, rounds alternating ' +
        'between the two servers; the first rounds (warm-up) are not counted.'
    ]),
    '## Settings',
    settingTable(settings)
  ].join('\n\n') + '\n'
}

function firehoseSection ({ load, freshness, stored, acceptedInAll, resources }: Firehose): string[] {
  const visible = distributionOf(freshness.delaysMs)
  const { pss, rss, roles, seconds, samples } = resources
  return [
    `## Firehose: ${up(load.seconds, 1)} s`,
    table(['Endpoint', 'Requests', 'Failed', 'p50 ms', 'p95 ms', 'p99 ms', 'max ms'], ENDPOINTS.map((name) => {
      const { requests, failed, latencyMs: { p50, p95, p99, max } } = load.endpoints[name]
      return [name, String(requests), String(failed), ...[p50, p95, p99, max].map((value) => up(value, 1))]
    })),
    `${freshness.sent} probes: an event was visible after ${up(visible.p50, 0)} ms (p50), ${up(visible.p99, 0)} ms (p99), ` +
      `${up(visible.max, 0)} ms (max).`,
    `${acceptedInAll} events were answered 204, those of the probes included. In user_tags ${stored.user_tags}, in ` +
      `user_tags_by_cookie ${stored.user_tags_by_cookie}, in user_tags_by_minute ${stored.user_tags_by_minute}; ` +
      `${stored.eventIds} different event ids.`,
    `Memory of all processes of the system, ${samples} samples in ${up(seconds, 0)} s: PSS ${megabytes(pss.peakBytes)} peak, ` +
      `${megabytes(pss.meanBytes)} mean; RSS, which counts shared pages several times, ${megabytes(rss.peakBytes)} peak.`,
    table(['Role', 'CPU s', 'CPU, % of one core', 'Peak PSS'], Object.entries(roles).map(([role, use]) => [
      role, up(use.cpuSeconds, 1), up(use.cpuSeconds / seconds * 100, 1), megabytes(use.pssPeakBytes)
    ]))
  ]
}

function fullSpeedSection ({ ingest, system }: FullSpeed): string[] {
  const rows = (name: string, rounds: readonly FullSpeedRound[]) => rounds.map((round, index) => [
    name, String(index + 1), down(round.perSecond, 0), String(round.refused + round.errors),
    String(round.latencyMs.p50), String(round.latencyMs.p99), String(round.latencyMs.max)
  ])
  return [
    '## Highest ingest rate',
    table(['Server', 'Round', 'Events/s', 'Not accepted', 'p50 ms', 'p99 ms', 'max ms'], [
      ...rows('ingest, embedded log', ingest.measured),
      ...rows('Fastify that only validates', ingest.reference),
      ...rows('whole system', system.rounds)
    ]),
    `Medians: ingest ${down(ingest.measuredMedian, 0)}/s, reference ${up(ingest.referenceMedian, 0)}/s; median of the ` +
      `rounds' ratios ${down(ingest.ratio, 3)}. Whole system, with processors and ClickHouse on the same cores (no target): ` +
      `${down(system.median, 0)}/s; ${system.accepted} events were answered in time and ${system.stored.user_tags} stored, ` +
      'those included whose connection was closed at the end of a round before the answer.'
  ]
}
