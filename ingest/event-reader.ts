import { BROKEN_LINE } from './event-batch.ts'
import { compileValidator } from '../http/index.ts'
import type { Fault, Stream } from '../contract/index.ts'

/** An event of a stream, valid by its schema, or the first thing that is wrong with what came. */
export type ReadEvent<E> = { event: E, fault?: undefined } | { event?: undefined, fault: Fault }

/** Reads what a client sent as an event of the stream; anything may come. */
export type EventReader<E> = (item: unknown) => ReadEvent<E>

/** Reads events that come in the stream's own form. */
export function createEventReader<E> (stream: Pick<Stream, 'eventSchema'>): EventReader<E> {
  const validate = compileValidator(stream.eventSchema)
  return (item) => {
    const fault = item === BROKEN_LINE ? BROKEN_LINE_FAULT : validate(item)
    return fault === undefined ? { event: item as E } : { fault }
  }
}

export const BROKEN_LINE_FAULT: Fault = { path: '/', code: 'malformed_json', message: 'is not valid JSON' }
