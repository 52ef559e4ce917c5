// The subpath export millrace/sqlite: importing it makes the format `sqlite` known to every engine of the process.
import { registerDatabase } from '../jdbc/register.ts'
import { sqliteServer } from './read-table.ts'
import { sqliteSinkProvider } from './sink.ts'

registerDatabase(sqliteServer, sqliteSinkProvider)

export { sqliteSinkProvider }
