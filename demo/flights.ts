import { avg, count, type DataFrame, type Engine, max, type StreamFrame, t, window } from 'millrace'

/** A flight as the files have it: `date` is the time of departure, `delay` in minutes (negative: early), `distance` in miles. */
const flight = { date: t.timestamp(), delay: t.long(), distance: t.long(), origin: t.string(), destination: t.string() }
/** The static side: 3,376 airports. */
const airport = {
  iata: t.string(),
  name: t.string(),
  city: t.string(),
  state: t.string(),
  country: t.string(),
  latitude: t.double(),
  longitude: t.double(),
}

/** Flights, average and worst delay for each airport and hour, with the airport's name, from one file a batch. */
export function delaysAsStream(engine: Engine, flights: string, airports: string) {
  return delays(engine.readStream.schema(flight).option('maxFilesPerTrigger', 1).parquet(flights), readAirports(engine, airports))
}

/** The same, from all files at once. */
export function delaysAsBatch(engine: Engine, flights: readonly string[], airports: string) {
  // One text for both: the compiler follows it as a stream, and a batch has the same operations.
  const asStream = engine.read.schema(flight).parquet(flights) as unknown as StreamFrame<Flight>
  return delays(asStream, readAirports(engine, airports)) as unknown as DataFrame<Delays>
}

/** What a run of the demo has written. */
export function readOutput(engine: Engine, output: string) {
  const columns = { origin: t.string(), name: t.string(), city: t.string(), state: t.string(), flights: t.long() }
  return engine.read.schema({ hour: t.timestamp(), ...columns, average_delay: t.double(), worst_delay: t.long() }).parquet(output)
}

type Flight = { date: 'timestamp'; delay: 'long'; distance: 'long'; origin: 'string'; destination: 'string' }
type Delays = ReturnType<typeof delays> extends StreamFrame<infer S, 'aggregated'> ? S : never

function delays(flights: StreamFrame<Flight>, airports: ReturnType<typeof readAirports>) {
  return flights
    .withWatermark('date', '1 hour')
    .groupBy(({ date, origin }) => ({ hour: window(date, '1 hour'), origin }))
    .agg(({ delay }) => ({ flights: count(), average_delay: avg(delay), worst_delay: max(delay) }))
    .join(airports, ({ origin }, { iata }) => origin.eq(iata))
    .select(({ hour, origin, name, city, state, flights, average_delay, worst_delay }) => ({
      hour: hour.start,
      origin,
      name,
      city,
      state,
      flights,
      average_delay,
      worst_delay,
    }))
}
function readAirports(engine: Engine, folder: string) {
  return engine.read.schema(airport).option('header', true).csv(folder)
}
