import { Type } from 'typebox'

/** Settings of everything that hashes subjects, keyed by environment variable. */
export const erasureSettings = {
  DATA_DIR: Type.String({
    default: './data',
    minLength: 1,
    description: 'Folder of everything that the embedded parts store; the key of erasure is in its file erasure.key.'
  }),
  ERASURE_KEY: Type.Optional(Type.String({
    minLength: 32,
    description: 'Secret that erased subjects are hashed with, the same in every role, for good; made by itself beside an embedded ClickHouse.'
  }))
}
