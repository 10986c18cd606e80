/**
 * The frame of the shorter benches: a workspace, the machine, signals, and the result as a pair of files in
 * BENCH_RESULTS_DIR. What is measured is theirs.
 */
import { availableParallelism, loadavg } from 'node:os'
import { join, resolve } from 'node:path'
import { mkdir, writeFile } from 'node:fs/promises'
import { ROOT } from './child-process.ts'
import { circumstances, list, settingTable, targetTable, verdict } from './markdown.ts'
import { describeMachine, describeRevision } from './machine.ts'
import { isMet } from './targets.ts'
import { openWorkspace } from './system.ts'
import type { Circumstances } from './markdown.ts'
import type { Target } from './targets.ts'
import type { Workspace } from './system.ts'

/** What a bench found out. */
export interface Measured {
  targets: Target[]
  /** Markdown: the figures in full. */
  sections: string[]
  /** How they were taken, for whoever compares them with others. */
  conditions: string[]
  /** Everything measured, for programs. */
  figures: object
}

export interface MeasurementResult extends Measured, Circumstances {
  /** Last part of the files' names, and of the script's. */
  name: string
  title: string
  settings: object
}

export interface Measurement<Settings> {
  name: string
  title: string
  settings: Settings
  measure: (settings: Settings, workspace: Workspace, signal: AbortSignal) => Promise<Measured>
}

type CommonSettings = Readonly<{ BENCH_DATA_DIR: string, BENCH_RESULTS_DIR: string }>

/** Measures, writes, sets the exit code: 0 where all targets are met, 1 where one is missed or it fails. */
export async function runMeasurement<Settings extends CommonSettings> (
  { name, title, settings, measure }: Measurement<Settings>
): Promise<void> {
  const interrupted = new AbortController()
  for (const event of ['SIGINT', 'SIGTERM'] as const) {
    process.on(event, () => interrupted.abort(new Error(event)))
  }
  const workspace = await openWorkspace(settings.BENCH_DATA_DIR)
  try {
    const before: Circumstances = {
      startedAt: new Date().toISOString(),
      machine: describeMachine(workspace.directory),
      revision: describeRevision(),
      loadPerCoreBefore: (loadavg()[0] as number) / availableParallelism()
    }
    const measured = await measure(settings, workspace, interrupted.signal)
    await writeResult({ name, title, settings, ...before, ...measured }, settings.BENCH_RESULTS_DIR)
    process.exitCode = measured.targets.every(isMet) ? 0 : 1
  } catch (error) {
    const { aborted } = interrupted.signal
    console.error(`bench-${name}: ${aborted ? 'interrupted; no result was written' : `failed: ${String(error)}`}`)
    process.exitCode = aborted ? 130 : 1
  } finally {
    await workspace.close()
  }
}

/** The result as Markdown, for people. */
export function renderMeasurement (result: MeasurementResult): string {
  const { name, title, startedAt, targets, sections, conditions, settings } = result
  return [
    `# ${title}, ${startedAt.slice(0, 10)}`,
    `${verdict(targets)}. Written by \`node loadtest/bench-${name}.ts\`.`,
    '## Targets',
    targetTable(targets),
    ...sections,
    '## Conditions',
    list([...conditions, ...circumstances(result)]),
    '## Settings',
    settingTable(settings)
  ].join('\n\n') + '\n'
}

async function writeResult (result: MeasurementResult, resultsDirectory: string): Promise<void> {
  const directory = resolve(ROOT, resultsDirectory)
  const file = join(directory, `${result.startedAt.slice(0, 10)}-${result.name}`)
  await mkdir(directory, { recursive: true })
  const markdown = renderMeasurement(result)
  await writeFile(`${file}.json`, `${JSON.stringify(result, undefined, 2)}\n`)
  await writeFile(`${file}.md`, markdown)
  console.log(markdown)
  console.error(`bench-${result.name}: written to ${file}.json and .md`)
}
