import importX from 'eslint-plugin-import-x'
import neostandard from 'neostandard'

// Imports point one way: each folder lists the folders of ours that it may import. Services never import
// services; only cli composes them. Tests may import anything, and stay outside the table.
const mayImport = {
  contract: [],
  clickhouse: [],
  eventlog: ['contract'],
  http: ['contract'],
  access: ['contract', 'http'],
  ingest: ['contract', 'eventlog', 'http'],
  processors: ['contract', 'eventlog', 'clickhouse'],
  'query-api': ['contract', 'clickhouse', 'http'],
  erasure: ['contract', 'clickhouse', 'http'],
  // Replays by the processors' own protocol: a second one would decide differently. No erasure may be carried
  // out while its tables change places.
  replay: ['contract', 'eventlog', 'clickhouse', 'erasure', 'processors'],
  tracker: ['contract', 'http'],
  'dead-letters': ['contract', 'clickhouse', 'eventlog', 'http'],
  cli: [
    'access', 'contract', 'clickhouse', 'dead-letters', 'erasure', 'eventlog', 'http', 'ingest', 'processors',
    'query-api', 'replay', 'tracker'
  ],
  loadtest: ['contract', 'erasure', 'eventlog', 'processors', 'query-api']
}
const folders = Object.keys(mayImport)

const zones = folders.map((folder) => ({
  target: `./${folder}`,
  from: folders.filter((other) => other !== folder && !mayImport[folder].includes(other)).map((other) => `./${other}`),
  message: `${folder}/ may import only: ${mayImport[folder].join(', ') || 'nothing of ours'}`
}))

const entrances = [{
  regex: `^(\\.\\./)+(${folders.join('|')})/(?!index\\.ts$).+`,
  message: 'Enter a folder through its index.ts.'
}, {
  regex: '/main\\.ts$',
  message: 'Nobody imports a main.ts.'
}]

export default [
  ...neostandard({ ts: true, noJsx: true, ignores: ['node_modules', 'data', '.tools'] }),
  {
    files: ['**/*.ts', '**/*.js'],
    plugins: { 'import-x': importX },
    rules: {
      'import-x/no-restricted-paths': ['error', { zones }],
      'import-x/no-cycle': 'error',
      'max-len': ['error', { code: 110, ignoreUrls: true, ignoreStrings: true, ignoreTemplateLiterals: true }],
      'max-lines': ['error', { max: 300, skipBlankLines: false, skipComments: false }],
      'max-lines-per-function': ['error', { max: 70 }]
    },
    settings: { 'import-x/extensions': ['.ts', '.js'] }
  },
  {
    files: folders.map((folder) => `${folder}/**/*.ts`),
    ignores: ['eventlog/kafka/**'],
    // kafkajs is unmaintained; one folder knows it, so that it can be replaced there.
    rules: { 'no-restricted-imports': ['error', { patterns: entrances, paths: ['kafkajs'] }] }
  },
  {
    files: ['eventlog/kafka/**/*.ts'],
    rules: { 'no-restricted-imports': ['error', { patterns: entrances }] }
  },
  {
    files: ['tests/**/*.ts'],
    rules: { 'max-lines-per-function': 'off' }
  }
]
