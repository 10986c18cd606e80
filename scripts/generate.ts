/**
 * Writes what is derived: the types of the streams, the settings and measured figures of the README, and what
 * the promises of delivery cost.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { generateTypes, streams } from '../contract/index.ts'
import { withGenerated, withPromises } from './readme-section.ts'

for (const stream of streams) {
  const file = new URL(`../contract/streams/${stream.name}/types.ts`, import.meta.url)
  writeFileSync(file, generateTypes(stream.schema))
}
const readmeFile = new URL('../README.md', import.meta.url)
writeFileSync(readmeFile, withGenerated(readFileSync(readmeFile, 'utf8')))
const deliveryFile = new URL('../docs/delivery.md', import.meta.url)
writeFileSync(deliveryFile, withPromises(readFileSync(deliveryFile, 'utf8')))
