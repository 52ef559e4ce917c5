import type * as KafkaLibrary from '@platformatic/kafka'
import { InvalidQueryError } from '../base/errors.ts'

export type { KafkaLibrary }

let loaded: Promise<typeof KafkaLibrary> | undefined
/** The client library, an optional peer that is loaded when a query first uses Kafka. InvalidQueryError OPTIONAL_LIBRARY_MISSING. */
export function kafkaLibrary(): Promise<typeof KafkaLibrary> {
  loaded ??= import('@platformatic/kafka').catch((cause: unknown) => {
    loaded = undefined
    throw new InvalidQueryError('OPTIONAL_LIBRARY_MISSING', {
      what: 'Kafka needs the package @platformatic/kafka, which could not be loaded',
      todo: 'install it beside millrace: npm install @platformatic/kafka',
      cause,
    })
  })
  return loaded
}
