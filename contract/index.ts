export { ERROR_CODES, MillraceError } from './errors.ts'
export type { ErrorCode, Fault } from './errors.ts'
export { createDecoder, createEncoder, decodeRejected, encodeRejected } from './codec.ts'
export type { Decoded, RecordDecoder, RecordEncoder, Rejected, UndecodableReason } from './codec.ts'
export {
  EVENT_TIME_MS_MAX, EVENT_TIME_MS_MIN, civilToMs, formatTime, fromEpoch, isStorableTime, parseTime
} from './time.ts'
export { FORMATS } from './http-schema.ts'
export type { JsonSchema } from './http-schema.ts'
export { EVENT_ID_LENGTH_MAX, TEXT_LENGTH_MAX, textFault } from './text.ts'
export type { Field } from './fields.ts'
export { readPath, toDateTime } from './row.ts'
export type { RecordPosition, Row } from './row.ts'
export { RegistryError, connectSchemaRegistry } from './schema-registry.ts'
export type { SchemaRegistry } from './schema-registry.ts'
export { RETRY_EVENT_ID_PREFIX, defineStream, readSchema, recordKey } from './stream.ts'
export type { Envelope, Stream } from './stream.ts'
export { analytics, interactions, pageViews, streams, userTags, visits } from './streams/index.ts'
export type {
  AnalyticsEvent, AnalyticsEventRecord, Interaction, InteractionRecord, PageView, PageViewRecord, UserTag,
  UserTagRecord, Visit, VisitRecord
} from './streams/index.ts'
export { generateTypes } from './generate-types.ts'
