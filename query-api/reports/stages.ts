/**
 * Funnel stages. A stage keeps the JSON type that it was sent with, so the number 1 and the string "1" are
 * two stages; numbers come first, in their order, then strings in the order of their bytes.
 *
 * A funnel-change says which stage was entered. The stage that was left is the one it names, or else the
 * one that the device's funnel-change before it entered (by time, then by place in the log), even if that
 * was before the window; a device's first one leaves no stage. A funnel-change that entered nothing is
 * none.
 */
import { interactions } from '../../contract/index.ts'
import { APP_WINDOW, sumElapsed, toSeconds, toShare } from './report.ts'
import type { Report } from './report.ts'
import type { Row } from '../../contract/index.ts'

const STAGES_WINDOW = `${APP_WINDOW}
  AND type = 'funnel_change'
  AND entered IS NOT NULL`

const stageOrder = (stage: string): string => {
  return `${stage}_is_number DESC, if(${stage}_is_number, toInt64OrZero(assumeNotNull(${stage})), 0), ${stage}`
}

/** Steps of the window that left a stage: which one, which was entered, by whom, after how many seconds. */
const STEPS = `
FROM (
  SELECT
    timestamp,
    device_id,
    elapsed_time,
    if(isNull(from_stage), lagInFrame(entered) OVER steps_of_device, from_stage) AS left_stage,
    if(
      isNull(from_stage), lagInFrame(entered_is_number) OVER steps_of_device, from_stage_is_number
    ) AS left_stage_is_number,
    entered AS entered_stage,
    entered_is_number AS entered_stage_is_number
  FROM ${interactions.tables.bySubject}
  WHERE tenant = {tenant:String}
    AND app = {app:String}
    AND type = 'funnel_change'
    AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
    AND entered IS NOT NULL
  WINDOW steps_of_device AS (
    PARTITION BY device_id ORDER BY timestamp, _partition, _offset
    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
  )
)
WHERE timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
  AND left_stage IS NOT NULL`

/** `{ date, stage, unique_users }`: who entered each stage on each UTC date. */
export const stages: Report = {
  name: 'report_stages',
  sql: `
SELECT
  toDate(timestamp) AS date,
  entered AS stage,
  entered_is_number AS stage_is_number,
  uniqExact(device_id) AS unique_users${STAGES_WINDOW}
GROUP BY date, stage, stage_is_number
ORDER BY date, ${stageOrder('stage')}`,
  toEntry: (row) => ({
    date: row['date'], stage: stageOf(row, 'stage'), unique_users: Number(row['unique_users'])
  })
}

/** `{ stage, elapsed, hit, average }`: seconds on each stage, over the times that it was left. */
export const stageTimes: Report = {
  name: 'report_stage_times',
  sql: `
SELECT
  left_stage AS stage,
  left_stage_is_number AS stage_is_number,
  ${sumElapsed('elapsed_time')} AS elapsed,
  count() AS hit${STEPS}
GROUP BY stage, stage_is_number
ORDER BY ${stageOrder('stage')}`,
  toEntry: (row) => {
    const elapsed = toSeconds(row['elapsed'])
    const hit = Number(row['hit'])
    return { stage: stageOf(row, 'stage'), elapsed, hit, average: elapsed / hit }
  }
}

/**
 * `{ stage, unique_users, total_users, percent }`: who entered each stage, of all who did anything in the app
 * within the window.
 */
export const conversion: Report = {
  name: 'report_conversion',
  sql: `
SELECT
  entered AS stage,
  entered_is_number AS stage_is_number,
  uniqExact(device_id) AS unique_users,
  (SELECT uniqExact(device_id)${APP_WINDOW}) AS total_users${STAGES_WINDOW}
GROUP BY stage, stage_is_number
ORDER BY ${stageOrder('stage')}`,
  toEntry: (row) => ({ stage: stageOf(row, 'stage'), ...toShare(row) })
}

/** `{ from, to, unique_users, hits }`: the steps from stage to stage. */
export const stageJourney: Report = {
  name: 'report_stage_journey',
  sql: `
SELECT
  left_stage, left_stage_is_number, entered_stage, entered_stage_is_number,
  uniqExact(device_id) AS unique_users,
  count() AS hits${STEPS}
GROUP BY left_stage, left_stage_is_number, entered_stage, entered_stage_is_number
ORDER BY ${stageOrder('left_stage')}, ${stageOrder('entered_stage')}`,
  toEntry: (row) => ({
    from: stageOf(row, 'left_stage'),
    to: stageOf(row, 'entered_stage'),
    unique_users: Number(row['unique_users']),
    hits: Number(row['hits'])
  })
}

function stageOf (row: Row, name: string): number | string {
  return row[`${name}_is_number`] === true ? Number(row[name]) : row[name] as string
}
