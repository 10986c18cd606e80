/**
 * Blocks that a killed engine knows and does not have. Without replication ClickHouse notes the token of an
 * insert's block in a log beside the table's parts before it puts the part in its place: killed between the
 * two, it takes the block for stored ever after, and drops the insert that is sent again. It came once in 71
 * kills in the middle of inserts. So what the logs name and no part covers is forgotten, before anything is
 * inserted: the insert is stored when it comes again.
 *
 * Source of the formats: ClickHouse's src/Storages/MergeTree/MergeTreeDeduplicationLog.cpp (a line is an
 * operation, a part and a block, between tabs) and MergeTreePartInfo.cpp (the names of parts).
 */
import { existsSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What inserts of one table were told that they are stored. */
interface BlockLog {
  file: string
  lines: readonly string[]
}

interface Part {
  partition: string
  firstBlock: number
  lastBlock: number
}

const LOG_FOLDER = 'deduplication_logs'
const ADDED = '1'
const PART_NAME = /^([^_]+)_(\d+)_(\d+)_\d+(?:_\d+)?$/

/** Is there a block that a log knows and no part holds? `directory` is that of the engine. */
export function hasLostBlocks (directory: string): boolean {
  return tablesIn(directory).some((table) => {
    const isLost = lossesOf(table)
    return logsOf(table).some(({ lines }) => lines.some(isLost))
  })
}

/** Takes such blocks out of the logs. The engine must not be open. */
export function forgetLostBlocks (directory: string): void {
  for (const table of tablesIn(directory)) {
    const isLost = lossesOf(table)
    for (const { file, lines } of logsOf(table)) {
      const kept = lines.filter((line) => !isLost(line))
      if (kept.length === lines.length) continue
      writeFileSync(`${file}.new`, kept.map((line) => `${line}\n`).join(''), { flush: true })
      renameSync(`${file}.new`, file)
    }
  }
}

/** Folders of tables: `store/<first of its id>/<id>`. */
function tablesIn (directory: string): string[] {
  const store = join(directory, 'store')
  if (!existsSync(store)) return []
  return readdirSync(store)
    .flatMap((first) => readdirSync(join(store, first)).map((id) => join(store, first, id)))
    .filter((table) => existsSync(join(table, LOG_FOLDER)))
}

function logsOf (table: string): BlockLog[] {
  const folder = join(table, LOG_FOLDER)
  return readdirSync(folder)
    .filter((name) => name.endsWith('.txt'))
    .map((name) => join(folder, name))
    .map((file) => ({ file, lines: readFileSync(file, 'utf8').split('\n').slice(0, -1) }))
}

/** Tells the lines that add a block of a part that is not there, nor any that it was merged into. */
function lossesOf (table: string): (line: string) => boolean {
  const parts = Map.groupBy(
    readdirSync(table).map(partOf).filter((part) => part !== undefined), ({ partition }) => partition
  )
  return (line) => {
    const [operation, name] = line.split('\t')
    const added = operation === ADDED ? partOf(name as string) : undefined
    if (added === undefined) return false
    return !(parts.get(added.partition) ?? []).some(({ firstBlock, lastBlock }) => {
      return firstBlock <= added.firstBlock && added.lastBlock <= lastBlock
    })
  }
}

function partOf (name: string): Part | undefined {
  const [, partition, firstBlock, lastBlock] = PART_NAME.exec(name) ?? []
  if (partition === undefined) return undefined
  return { partition, firstBlock: Number(firstBlock), lastBlock: Number(lastBlock) }
}
