/**
 * Writes what is derived from declarations: the streams' TypeScript types, the README's table of settings.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { generateTypes, streams } from '../contract/index.ts'
import { roles } from '../cli/index.ts'
import { settingsReference } from './settings-reference.ts'
import { withSettings } from './readme-section.ts'

for (const stream of streams) {
  const file = new URL(`../contract/streams/${stream.name}/types.ts`, import.meta.url)
  writeFileSync(file, generateTypes(stream.schema))
}
const readmeFile = new URL('../README.md', import.meta.url)
writeFileSync(readmeFile, withSettings(readFileSync(readmeFile, 'utf8'), settingsReference(roles)))
