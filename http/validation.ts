import createCompilerFactory from '@fastify/ajv-compiler'
import { FORMATS } from '../contract/index.ts'
import { toFault } from './schema-faults.ts'
import type { Fault, JsonSchema } from '../contract/index.ts'
import type { SchemaFault } from './schema-faults.ts'

/** Nothing is coerced, dropped or defaulted: a value is taken as it was sent or refused. */
export const VALIDATION_OPTIONS = {
  coerceTypes: false,
  removeAdditional: false,
  useDefaults: false,
  strict: true,
  allowUnionTypes: true,
  discriminator: true,
  formats: FORMATS
} as const

/** The first fault of a value, or undefined where it fits the schema. */
export type Validator = (value: unknown) => Fault | undefined

/** Compiles a schema as the server compiles those of its routes, for values that are not a whole body. */
export function compileValidator (schema: JsonSchema): Validator {
  const compile = createCompilerFactory()({}, { customOptions: VALIDATION_OPTIONS })
  const validate = compile({ schema })
  return (value) => {
    if (validate(value) === true) return undefined
    return toFault(validate.errors?.[0] as SchemaFault)
  }
}
