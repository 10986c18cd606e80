import type { ClickHouseConfig } from './config.ts'

/** The part of the configuration that migrations are rendered with. */
export type TemplateConfig = Pick<ClickHouseConfig, 'database' | 'cluster' | 'retentionDays'>

/** Inserts whose tokens a table remembers: hours of batches, so that a processor may be away that long. */
export const DEDUPLICATION_WINDOW = 10_000
/** Seconds that a replicated table remembers tokens: a week. Newer servers default to one hour. */
const REPLICATED_WINDOW_SECONDS = 7 * 24 * 3600

const PLACEHOLDER = /\{\{([a-z_]+)(?: ([A-Za-z_]+))?(?: ([a-z_]+))?\}\}/g

/**
 * The SQL of one migration, for one server or for a replicated cluster. Throws on a placeholder that does not
 * exist.
 *
 *     {{database}}                the database
 *     {{on_cluster}}              ON CLUSTER …, or nothing
 *     {{engine MergeTree}}        the engine, or its Replicated… form (of any MergeTree)
 *     {{engine ReplacingMergeTree version}}  the same, with the engine's own argument
 *     {{retention_days raw}}      days, for raw | by_subject | rollup
 *     {{deduplication_settings}}  the settings that make insert tokens work, on table and view target alike
 */
export function renderMigration (template: string, config: TemplateConfig): string {
  return template.replace(PLACEHOLDER, (text, name: string, ...rest: Array<string | undefined>) => {
    const value = placeholder(name, rest[0], rest[1], config)
    if (value === undefined) throw new Error(`Unknown placeholder ${text}`)
    return value
  }).replace(/[ \t]+$/gm, '')
}

function placeholder (
  name: string, argument: string | undefined, parameter: string | undefined, config: TemplateConfig
): string | undefined {
  const { database, cluster, retentionDays } = config
  switch (name) {
    case 'database': return database
    case 'on_cluster': return onCluster(config)
    case 'engine': return argument === undefined ? undefined : engine(argument, config, parameter)
    case 'deduplication_settings': return cluster === undefined
      ? `non_replicated_deduplication_window = ${DEDUPLICATION_WINDOW}`
      : `replicated_deduplication_window = ${DEDUPLICATION_WINDOW}, ` +
        `replicated_deduplication_window_seconds = ${REPLICATED_WINDOW_SECONDS}`
    case 'retention_days': switch (argument) {
      case 'raw': return String(retentionDays.raw)
      case 'by_subject': return String(retentionDays.bySubject)
      case 'rollup': return String(retentionDays.rollup)
    }
  }
  return undefined
}

/** `ON CLUSTER …`, or nothing. */
export function onCluster ({ cluster }: Pick<TemplateConfig, 'cluster'>): string {
  return cluster === undefined ? '' : `ON CLUSTER \`${cluster}\``
}

/** {shard}, {replica}, {database} and {table} are macros of the server. */
export function engine (
  name: string, { cluster }: Pick<TemplateConfig, 'cluster'>, parameter?: string
): string {
  if (cluster === undefined) return parameter === undefined ? name : `${name}(${parameter})`
  const own = parameter === undefined ? '' : `, ${parameter}`
  return `Replicated${name}('/clickhouse/tables/{shard}/{database}/{table}', '{replica}'${own})`
}
