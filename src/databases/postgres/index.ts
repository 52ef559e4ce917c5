// The subpath export millrace/postgres: importing it makes the format `postgres` known to every engine of the process.
import { registerDatabase } from '../jdbc/register.ts'
import { postgresServer } from './read-table.ts'
import { postgresSinkProvider } from './sink.ts'

registerDatabase(postgresServer, postgresSinkProvider)

export { postgresSinkProvider }
