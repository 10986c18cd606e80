import { writeFileSync } from 'node:fs'
import { generateTypes, streams } from '../contract/index.ts'

for (const stream of streams) {
  const file = new URL(`../contract/streams/${stream.name}/types.ts`, import.meta.url)
  writeFileSync(file, generateTypes(stream.schema))
}
