import { readFileSync, readdirSync } from 'node:fs'
import { roles } from '../cli/index.ts'
import { promisesSection } from '../loadtest/promises-section.ts'
import { settingsReference } from './settings-reference.ts'
import type { PromisesResult } from '../loadtest/promises-section.ts'

const RESULTS = new URL('../loadtest/results/', import.meta.url)

/** The README with its generated sections as they should be. Throws where it lacks one of them. */
export function withGenerated (readme: string): string {
  return withSection(withSection(readme, 'settings', settingsReference(roles)), 'figures', figures())
}

/** docs/delivery.md with what the promises cost, as measured last. Throws where it has no place for it. */
export function withPromises (delivery: string): string {
  const result = JSON.parse(readFileSync(new URL('promises.json', RESULTS), 'utf8')) as PromisesResult
  return withSection(delivery, 'promises', promisesSection(result))
}

function withSection (page: string, name: string, content: string): string {
  const head = `<!-- ${name}: written by \`make generate\` -->`
  const start = page.indexOf(head)
  const end = page.indexOf(`<!-- end of ${name} -->`)
  if (start < 0 || end < start) throw new Error(`A page has no section for the ${name}`)
  return `${page.slice(0, start + head.length)}\n\n${content}\n${page.slice(end)}`
}

/** Targets and measurements of the newest result of each bench, misses included. */
function figures (): string {
  const files = readdirSync(RESULTS).filter((name) => name.endsWith('.md')).sort()
  if (files.length === 0) throw new Error('loadtest/results/ has no result: run make bench')
  // <date>-<name>.md: of each name the last date stays.
  const newest = new Map(files.map((file) => [file.slice('2026-01-01-'.length), file]))
  return [...newest].sort().map(([, file]) => {
    const [, targets] = readFileSync(new URL(file, RESULTS), 'utf8').split(/^## .*\n/m)
    return `From [loadtest/results/${file}](loadtest/results/${file}), with its conditions:\n${targets?.trimEnd()}\n`
  }).join('\n')
}
