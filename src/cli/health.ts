import { createServer, type Server } from 'node:http'
import { InvalidQueryError } from '../base/errors.ts'
import type { QueryViews } from './query-events.ts'

export interface HealthServer {
  readonly port: number
  close(): void
}

/**
 * Answers for a container's probes: `/healthz` (200 while the command lives and no query of it has failed for good) and `/readyz` (200 while
 * there is a query and all of them run). Both with JSON that says how each query stands. Listens on all addresses, as probes come from outside.
 */
export async function serveHealth(port: number, views: QueryViews, restarts: () => number): Promise<HealthServer> {
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0]
    if (path !== '/healthz' && path !== '/readyz') {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('there is /healthz and /readyz\n')
      return
    }
    const queries = views.all.map(({ id, runId, name, state, message, progress, lateRows }) => ({
      id,
      runId,
      name,
      state,
      message,
      batchId: progress?.batchId ?? null,
      timestamp: progress?.timestamp ?? null,
      lateRows,
    }))
    const good =
      path === '/healthz'
        ? queries.every(({ state }) => state !== 'failed')
        : queries.length > 0 && queries.every(({ state }) => state === 'running')
    const body = JSON.stringify({ status: good ? 'ok' : path === '/healthz' ? 'failed' : 'not ready', restarts: restarts(), queries })
    response.writeHead(good ? 200 : 503, { 'content-type': 'application/json', 'cache-control': 'no-store' }).end(`${body}\n`)
  })
  await listening(server, port)
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

function listening(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) =>
      reject(
        new InvalidQueryError('HEALTH_PORT_NOT_AVAILABLE', {
          what: `the health port ${port} can't be listened on: ${cause.code ?? cause.message}`,
          todo: 'give another --health-port, or end what listens there',
          cause,
        }),
      ),
    )
    server.listen(port, () => {
      // a probe keeps no process alive
      server.unref()
      resolve()
    })
  })
}
