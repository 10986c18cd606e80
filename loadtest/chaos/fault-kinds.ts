/** Every fault that a chaos run knows, as data: what can be hit, and for how long. */

export type LogKind = 'embedded' | 'kafka'

export type FaultName =
  | 'kill' | 'kill both processors' | 'kill in mid-insert' | 'restart' | 'stop' | 'exception' | 'no space'
  | 'delay' | 'cut' | 'swallow' | 'fill disk' | 'move clock'

/** One thing that may happen: a fault of a kind, to one target, in one variant. */
export interface FaultVariant {
  name: FaultName
  target: string
  /** What else is to be known: the code of an exception, the direction of a clock. */
  variant: string
  /** Bounds of its length. */
  msMin: number
  msMax: number
}

/** What this machine can do besides killing processes and cutting connections. */
export interface Means {
  log: LogKind
  /** Small file systems can be mounted and filled. */
  disks: boolean
  /** ClickHouse's disk is filled too, and not only the log's. */
  clickHouseDisk: boolean
  /** libfaketime is there. */
  clocks: boolean
}

/** A member of a consumer group that is silent for so long has lost its partitions. */
export const SESSION_MS = 3_000
/** ClickHouse's codes, and whether the insert had landed by the time of the answer. */
export const EXCEPTIONS: Readonly<Record<string, { code: number, name: string }>> = {
  'too many parts': { code: 252, name: 'TOO_MANY_PARTS' },
  'memory limit': { code: 241, name: 'MEMORY_LIMIT_EXCEEDED' },
  'time-out': { code: 159, name: 'TIMEOUT_EXCEEDED' },
  'no space': { code: 243, name: 'NOT_ENOUGH_SPACE' }
}
export const BEFORE = 'before the insert'
export const AFTER = 'after the insert'

const PROCESSORS = ['processors-1', 'processors-2']
const ROLES = ['ingest', ...PROCESSORS, 'clickhouse', 'query-api']
/** Connections that lead through a proxy. */
export const CLIENTS_TO_INGEST = 'clients → ingest'
export const PROCESSORS_TO_CLICKHOUSE = 'processors → clickhouse'
export const ROLES_TO_BROKER = 'roles → broker'

/** Every variant that can happen on this log with these means. */
export function faultVariants ({ log, disks, clickHouseDisk, clocks }: Means): FaultVariant[] {
  const broker = log === 'kafka' ? ['broker'] : []
  const links = [CLIENTS_TO_INGEST, PROCESSORS_TO_CLICKHOUSE, ...(log === 'kafka' ? [ROLES_TO_BROKER] : [])]
  const disksToFill = [...(clickHouseDisk ? ['clickhouse'] : []), ...(log === 'embedded' ? ['log'] : [])]
  const exceptions = Object.keys(EXCEPTIONS).filter((name) => name !== 'no space').flatMap(beforeAndAfter)
  return [
    ...each('kill', [...ROLES, ...broker], [''], 100, 3_000),
    ...each('kill both processors', ['processors'], [''], 100, 2_000),
    ...each('kill in mid-insert', ['clickhouse'], [''], 100, 1_500),
    ...each('restart', [...ROLES, ...broker], [''], 100, 500),
    // Past the session: by the time that it goes on, its partitions are somebody else's.
    ...each('stop', PROCESSORS, [''], SESSION_MS + 1_000, SESSION_MS + 3_000),
    ...each('stop', ['clickhouse'], [''], 1_000, 7_000),
    ...each('stop', ['ingest'], [''], 500, 3_000),
    ...each('exception', ['clickhouse'], exceptions, 1_000, 3_000),
    // A kind of its own: a full disk is in every run, wherever nothing can be mounted too.
    ...each('no space', ['clickhouse'], beforeAndAfter('no space'), 1_000, 3_000),
    ...each('delay', links, [''], 1_000, 4_000),
    ...each('cut', links, [''], 500, 2_500),
    ...each('swallow', links, [''], 1_000, 4_000),
    ...(disks ? each('fill disk', disksToFill, [''], 1_500, 4_000) : []),
    ...(clocks ? each('move clock', ['ingest', ...PROCESSORS], ['forward', 'back'], 2_000, 5_000) : [])
  ]
}

function beforeAndAfter (exception: string): string[] {
  return [`${exception}, ${BEFORE}`, `${exception}, ${AFTER}`]
}

function each (
  name: FaultName, targets: readonly string[], variants: readonly string[], msMin: number, msMax: number
): FaultVariant[] {
  return targets.flatMap((target) => variants.map((variant) => ({ name, target, variant, msMin, msMax })))
}
