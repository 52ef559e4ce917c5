// The subpath export millrace/mysql: importing it makes the formats `mysql` and `mariadb` known to every engine of the process.
import { registerDatabase } from '../jdbc/register.ts'
import { mysqlServer } from './read-table.ts'
import { mysqlSinkProvider } from './sink.ts'

registerDatabase(mysqlServer, mysqlSinkProvider)

export { mysqlSinkProvider }
