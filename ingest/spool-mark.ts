import type { RecordEncoder, Row, Stream } from '../contract/index.ts'
import type { AppendRecord } from '../eventlog/index.ts'

/**
 * What marks a record as spooled: an event whose id the server made gets the origin SPOOL, which tells the
 * processors that it may come twice. A client's id tells them that already; what is no event stays as it is.
 */
export async function createSpoolMark (
  streams: readonly Stream[], encoderOf: (stream: Stream) => Promise<RecordEncoder<Row>>
): Promise<(topic: string, record: AppendRecord) => AppendRecord> {
  const encoders = new Map(await Promise.all(streams.map(async (stream) => {
    return [stream.topic, await encoderOf(stream)] as const
  })))
  return (topic, record) => {
    const value = encoders.get(topic)?.revise(record.value, (event) => {
      return event['event_id_origin'] === 'SERVER' ? { ...event, event_id_origin: 'SPOOL' } : undefined
    })
    return value === undefined ? record : { ...record, value }
  }
}
