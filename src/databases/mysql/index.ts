// The subpath export millrace/mysql: importing it makes the formats `mysql` and `mariadb` known to every engine of the process.
import { registerSink } from '../../sinks/providers.ts'
import { mysqlSinkProvider } from './sink.ts'

registerSink(mysqlSinkProvider)

export { mysqlSinkProvider }
