/** What settings of several folders must be to each other, as roles have them in common. */
import {
  AccessError, accessConfig, accessSettings, checkBinding, parseAccessFile, readAccessText
} from '../access/index.ts'
import type { Static, TObject } from 'typebox'
import type { clickHouseSettings } from '../clickhouse/index.ts'
import type { eventLogSettings } from '../eventlog/index.ts'
import type { httpSettings } from '../http/index.ts'
import type { questionSettings } from '../query-api/index.ts'
import type { SettingsCheck } from './settings.ts'

/** A mechanism without credentials would be refused by the brokers, again and again. */
export const kafkaCredentialsCheck: SettingsCheck<Static<TObject<typeof eventLogSettings>>> = {
  settings: ['KAFKA_SASL_MECHANISM', 'KAFKA_USERNAME', 'KAFKA_PASSWORD'],
  faultOf: ({ KAFKA_SASL_MECHANISM: mechanism, KAFKA_USERNAME: user, KAFKA_PASSWORD: password }) => {
    if (mechanism === undefined || (user !== '' && password !== '')) return undefined
    return `KAFKA_SASL_MECHANISM=${mechanism} needs KAFKA_USERNAME and KAFKA_PASSWORD`
  }
}

type QuestionSecondsEnv = Static<TObject<typeof questionSettings>> & Pick<
  Static<TObject<typeof clickHouseSettings>>, 'CLICKHOUSE_READ_SECONDS_MAX' | 'CLICKHOUSE_REQUEST_TIMEOUT_MS'
>

/** A question ends by its own limit, with its own code, before anything else cuts it off. */
export const questionSecondsCheck: SettingsCheck<QuestionSecondsEnv> = {
  settings: ['QUERY_SECONDS_MAX', 'CLICKHOUSE_READ_SECONDS_MAX', 'CLICKHOUSE_REQUEST_TIMEOUT_MS'],
  faultOf: (env) => {
    const { QUERY_SECONDS_MAX: seconds, CLICKHOUSE_READ_SECONDS_MAX: readSeconds } = env
    const timeoutMs = env.CLICKHOUSE_REQUEST_TIMEOUT_MS
    if (seconds < readSeconds && seconds * 1000 < timeoutMs) return undefined
    return `QUERY_SECONDS_MAX=${seconds} must be less than CLICKHOUSE_READ_SECONDS_MAX=${readSeconds} and ` +
      `CLICKHOUSE_REQUEST_TIMEOUT_MS=${timeoutMs}`
  }
}

/** The keys that are there now allow the address to be listened on, and can be read at all. */
export const accessCheck: SettingsCheck<Static<TObject<typeof accessSettings & typeof httpSettings>>> = {
  settings: ['HTTP_HOST', 'AUTH', 'ACCESS_FILE', 'DATA_DIR'],
  faultOf: async (env) => {
    const { file, alwaysRequired } = accessConfig(env)
    try {
      const { keys } = parseAccessFile(await readAccessText(file))
      checkBinding(env.HTTP_HOST, { required: alwaysRequired || keys.length > 0 })
    } catch (error) {
      if (error instanceof AccessError) return error.message
      throw error
    }
  }
}
