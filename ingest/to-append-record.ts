import type { Envelope, RecordEncoder, Stream } from '../contract/index.ts'
import type { AppendRecord } from '../eventlog/index.ts'

/** A stream and the encoder of its records. */
export interface EncodedStream<E, R> {
  stream: Stream<E, R>
  encoder: RecordEncoder<R>
}

/** The record of a valid event, as the log takes it; `timestampMs` is its arrival. */
export function toAppendRecord<E, R> (
  { stream, encoder }: EncodedStream<E, R>, event: E, envelope: Envelope, timestampMs: number
): AppendRecord {
  return {
    key: stream.recordKey(event, envelope.tenant),
    value: encoder.encode(stream.toRecord(event, envelope)),
    timestampMs
  }
}
