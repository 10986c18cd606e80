/**
 * Writes what is derived: the streams' TypeScript types, and the README's settings and measured figures.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { generateTypes, streams } from '../contract/index.ts'
import { withGenerated } from './readme-section.ts'

for (const stream of streams) {
  const file = new URL(`../contract/streams/${stream.name}/types.ts`, import.meta.url)
  writeFileSync(file, generateTypes(stream.schema))
}
const readmeFile = new URL('../README.md', import.meta.url)
writeFileSync(readmeFile, withGenerated(readFileSync(readmeFile, 'utf8')))
