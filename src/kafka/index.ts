// The subpath export millrace/kafka: importing it registers the formats.
export { ClientProperties } from './client-properties.ts'
