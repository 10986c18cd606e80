import { subjectHashSql } from './subject-hash.ts'
import type { SubjectHasher } from './subject-hash.ts'
import type { Stream } from '../contract/index.ts'
import type { Tombstone } from './tombstone.ts'

/** A table with rows of subjects, and how they are found in it. */
export interface PersonalTable {
  name: string
  /** The streams whose events it may hold. */
  streams: readonly string[]
  /** SQL of the name of a row's stream. */
  streamSql: string
  /** SQL of the hash of a row's subject; where the table has several streams, the stream stands before it. */
  identitySql: string
  /** What `identitySql` gives for the rows that a tombstone is about. */
  identitiesOf: (tombstone: Pick<Tombstone, 'streams' | 'subjectHash'>) => string[]
  partition: string
  offset: string
}

/** Every table that erasure must reach: those of the streams, and the dead letters of all of them. */
export function personalTables (streams: readonly Stream[]): PersonalTable[] {
  const names = streams.map(({ name }) => name)
  return [
    ...streams.flatMap((stream) => stream.personalTables.map((name) => streamTable(stream, name))),
    {
      name: 'dead_letters',
      streams: names,
      streamSql: 'stream',
      identitySql: `concat(stream, ' ', ${subjectHashSql('key')})`,
      identitiesOf: ({ streams: named, subjectHash }) => named.map((stream) => `${stream} ${subjectHash}`),
      partition: 'partition',
      offset: 'offset'
    }
  ]
}

function streamTable ({ name: stream, subject }: Stream, name: string): PersonalTable {
  return {
    name,
    streams: [stream],
    streamSql: `'${stream}'`,
    // The contract's record key; ids of tenants are ASCII, so that bytes and characters are as many.
    identitySql: subjectHashSql(`concat(toString(length(tenant)), ':', tenant, ${subject})`),
    identitiesOf: ({ streams, subjectHash }) => streams.includes(stream) ? [subjectHash] : [],
    partition: '_partition',
    offset: '_offset'
  }
}

export interface ErasedCondition {
  /** Holds for the rows that are to be erased. */
  sql: string
  params: Record<string, unknown>
}

/**
 * The rows of a table that tombstones erase: by hash, up to each one's cut-off. Undefined where they are
 * about none of its streams. The parameters hold the key: log_queries = 0.
 */
export function erasedCondition (
  table: PersonalTable, tombstones: readonly Tombstone[], hasher: SubjectHasher
): ErasedCondition | undefined {
  const cutoffs = new Map<string, number>()
  for (const tombstone of tombstones) {
    for (const identity of table.identitiesOf(tombstone)) {
      cutoffs.set(identity, Math.max(cutoffs.get(identity) ?? 0, tombstone.cutoffMs))
    }
  }
  if (cutoffs.size === 0) return undefined
  const [identities, until] = [`erased_${table.name}`, `erased_until_${table.name}`]
  return {
    sql: `toUnixTimestamp64Milli(received_at) <= transform(${table.identitySql}, {${identities}:Array(String)}, ` +
      `{${until}:Array(Int64)}, toInt64(-1))`,
    params: { ...hasher.params, [identities]: [...cutoffs.keys()], [until]: [...cutoffs.values()] }
  }
}
